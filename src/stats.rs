//! Floor 1: statistics on slices.
//!
//! Plain functions: numbers in, a number or `None` out. `None` means *undefined* (too few values, no variance, a value that
//! is NaN or infinite), which the screen shows as `n/a`; it is never replaced by 0 or infinity. No domain decisions are taken here: what is
//! "significant enough" belongs to the room that asks. Transcendental functions come from `libm`, so that results do not depend on the platform's.

mod blocks;
mod bootstrap;
mod calibration;
mod clusters;
mod covariance;
mod descriptive;
mod distributions;
mod forecasts;
mod garch_fit;
mod hypotheses;
mod inference;
mod metrics;
mod overfitting;
mod power;
mod report;
mod robust;
mod series;
mod sharpe;
mod special;
mod stationarity;
mod volatility;

pub use blocks::{BlockLengths, Generator, Scheme, optimal_block_lengths};
pub use bootstrap::{Replica, Resampler, studentised_interval};
pub use calibration::{Bin, Logistic, brier, calibration_curve};
pub use clusters::Clusters;
pub use covariance::{Covariance, RiskParts, Shrunk, ledoit_wolf};
pub use descriptive::{
    annualised_volatility, correlation, max_drawdown, mean, moving_average, percentile_rank, returns, standard_deviation,
};
pub use distributions::{
    binomial_at_least, binomial_at_most, chi_squared_cdf, chi_squared_survival, f_cdf, f_survival, normal_cdf, normal_density,
    normal_quantile, normal_survival, student_t_cdf, student_t_quantile, student_t_survival,
};
pub use forecasts::{Coverage, christoffersen, diebold_mariano, kupiec, mcnemar_chi_squared, mcnemar_exact, pesaran_timmermann};
pub use garch_fit::GarchFit;
pub use hypotheses::{
    Centre, Tested, benjamini_hochberg, f_test, levene, newey_west, newey_west_lags, paired_t_test, t_test, welch_t_test,
};
pub use inference::{Interval, mean_interval_95, student_t_975, t_statistic, wilson_95, wilson_95_of};
pub use metrics::{
    AlphaBeta, Drawdown, Shape, alpha_beta, annual_growth, calmar, drawdown, expected_shortfall, hit_rate, information_ratio,
    omega, percentile_interval, profit_factor, quantile_of_sorted, shape, sharpe, sortino, value_at_risk,
};
pub use overfitting::{Overfitting, overfitting};
pub use power::{Contrast, exact_power, pass_probability, sample_size};
pub use report::{Check, Fall, Loss, Report, Resampled, Resampling, Sign, Supposed, sign};
pub use robust::{median_distance_of_sorted, median_of_sorted, robust_z_of_sorted};
pub use series::{Bandwidth, Kpss, Reading, autocorrelations, durbin_watson, jarque_bera, kpss, ljung_box};
pub use sharpe::{Observed, annualising_factor, expected_maximum};
pub use stationarity::{DickeyFuller, Lags, dickey_fuller};
pub use volatility::{Garch, Presample, RISK_METRICS, backcast, ewma_variance, normal_expected_shortfall, normal_value_at_risk};
