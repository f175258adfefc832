"""The contract with the team's code, and the record of what one run did."""
