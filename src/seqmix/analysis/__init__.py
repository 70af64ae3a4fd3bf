"""Tables in, statistics out: fits, comparisons, context, shapes. numpy, scipy and pandas only, never torch."""
