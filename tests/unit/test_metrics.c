/* SPDX-License-Identifier: GPL-3.0-or-later */

/* metrics.h: histograms, what is estimated from them, sums. */

#include <config.h>

#include "base/metrics.h"

#include <math.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "tap.h"

METRIC_HISTOGRAM(took, "tof_test_seconds", "How long it took.");
METRIC_COUNTER(n_red, "tof_test_total", "color=\"red\",size=\"big\"",
               "Things.");
METRIC_COUNTER(n_blue, "tof_test_total", "color=\"blue\",size=\"big\"",
               "Things.");

static void
test_text(void)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    histogram_add(&took, -5);
    histogram_add(&took, 100);
    histogram_add(&took, 101);
    histogram_add(&took, 3000000);
    histogram_add(&took, 60000000);
    metrics_render(&s);
    tap_ok(strstr(ds_cstr(&s), "# TYPE tof_test_seconds histogram\n"
                  "tof_test_seconds_bucket{le=\"0.0001\"} 2\n"
                  "tof_test_seconds_bucket{le=\"0.0002\"} 3\n"), "first ones");
    tap_ok(strstr(ds_cstr(&s), "tof_test_seconds_bucket{le=\"2\"} 3\n"
                  "tof_test_seconds_bucket{le=\"5\"} 4\n"
                  "tof_test_seconds_bucket{le=\"10\"} 4\n"
                  "tof_test_seconds_bucket{le=\"+Inf\"} 5\n"
                  "tof_test_seconds_sum 63.000201\n"
                  "tof_test_seconds_count 5\n"), "last ones");
    ds_destroy(&s);
}

static bool
is_near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static void
test_quantiles(void)
{
    uint64_t n[HISTOGRAM_BOUNDS + 1] = { 0 };

    tap_ok(isnan(histogram_quantile(n, 0.5)), "of nothing");
    n[1] = 10;                  /* 100 to 200 us. */
    tap_ok(is_near(histogram_quantile(n, 0.5), 150e-6), "in the middle");
    tap_ok(is_near(histogram_quantile(n, 1), 200e-6), "all");
    n[0] = 10;
    tap_ok(is_near(histogram_quantile(n, 0.25), 50e-6), "in the first");
    tap_ok(is_near(histogram_quantile(n, 0.75), 150e-6), "in the second");
    n[HISTOGRAM_BOUNDS] = 1000;
    tap_ok(is_near(histogram_quantile(n, 0.99), 10), "beyond the last bound");
}

static void
test_sums(void)
{
    n_red.value = 3;
    n_blue.value = 4;
    tap_ok(metrics_sum("tof_test_total", "") == 7, "all");
    tap_ok(metrics_sum("tof_test_total", "color=\"blue\"") == 4, "some");
    tap_ok(metrics_sum("tof_test_total", "color=\"green\"") == 0, "none");
    tap_ok(metrics_histogram("tof_test_seconds") == &took, "a histogram");
    tap_ok(!metrics_histogram("tof_test_total"), "none");
}

int
main(void)
{
    test_text();
    test_quantiles();
    test_sums();
    return tap_done();
}
