"""Parameters of a dense CRF (types, choices and ranges only)."""

from stages.common.params import Count, Positive, Section


class Crf(Section):
    """DAVID, "FC Conditional Random Fields": the two kernels and the mean-field iterations."""

    iterations: Count
    smooth_sxy: Positive  # theta_gamma, pixels
    smooth_compat: Positive  # w2
    color_sxy: Positive  # theta_alpha, pixels
    color_srgb: Positive  # theta_beta, grey values
    color_compat: Positive  # w1
