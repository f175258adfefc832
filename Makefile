# `make` alone lists the targets. They come with the machinery; add yours below.
include machinery/mlops/machinery.mk
