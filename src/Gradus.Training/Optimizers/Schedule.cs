using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Gradus.Training.Optimizers;

/// <summary>How the learning rate moves: a factor of the optimizer's learning rate for every step, counted from 0.</summary>
/// <param name="WarmupSteps">Steps over which the factor rises in a line from 0, ≥ 0.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(ConstantSchedule), "constant")]
[JsonDerivedType(typeof(LinearSchedule), "linear")]
[JsonDerivedType(typeof(CosineSchedule), "cosine")]
[JsonDerivedType(typeof(CosineRestartsSchedule), "cosine_with_restarts")]
[JsonDerivedType(typeof(PolynomialSchedule), "polynomial")]
[JsonDerivedType(typeof(InverseSqrtSchedule), "inverse_sqrt")]
[JsonDerivedType(typeof(WarmupStableDecaySchedule), "warmup_stable_decay")]
[JsonDerivedType(typeof(StepSchedule), "step")]
[JsonDerivedType(typeof(OneCycleSchedule), "one_cycle")]
public abstract record Schedule([property: Range(0, int.MaxValue)] int WarmupSteps = 0)
{
    /// <summary>The factor of a step.</summary>
    /// <param name="step">The step, from 0; may lie beyond the end.</param>
    /// <param name="steps">Steps of the whole run.</param>
    public virtual double Factor(long step, long steps) =>
        step < WarmupSteps ? step / (double)Math.Max(1, WarmupSteps) : After(step, steps);

    /// <summary>The factor of a step behind the warm-up.</summary>
    protected abstract double After(long step, long steps);

    /// <summary>How much of what follows the warm-up lies behind a step, from 0.</summary>
    protected double Progress(long step, long steps) => (step - WarmupSteps) / (double)Math.Max(1, steps - WarmupSteps);
}

/// <summary>Warm-up, then 1.</summary>
/// <param name="WarmupSteps">Steps of warm-up.</param>
public sealed record ConstantSchedule([Range(0, int.MaxValue)] int WarmupSteps = 0) : Schedule(WarmupSteps)
{
    /// <inheritdoc/>
    protected override double After(long step, long steps) => 1;
}

/// <summary>Warm-up, then a line down to 0 at the last step.</summary>
/// <param name="WarmupSteps">Steps of warm-up.</param>
public sealed record LinearSchedule([Range(0, int.MaxValue)] int WarmupSteps = 0) : Schedule(WarmupSteps)
{
    /// <inheritdoc/>
    protected override double After(long step, long steps) => Math.Max(0, (steps - step) / (double)Math.Max(1, steps - WarmupSteps));
}

/// <summary>Warm-up, then a cosine from 1 to the least (Loshchilov and Hutter, "SGDR", 2017).</summary>
/// <param name="WarmupSteps">Steps of warm-up.</param>
/// <param name="Cycles">Waves up to the last step; half a wave goes down once.</param>
/// <param name="Least">The lowest factor, in [0, 1].</param>
public sealed record CosineSchedule([Range(0, int.MaxValue)] int WarmupSteps = 0, double Cycles = 0.5, [Range(0.0, 1.0)] double Least = 0) : Schedule(WarmupSteps)
{
    /// <inheritdoc/>
    protected override double After(long step, long steps) =>
        Math.Max(0, (0.5 * (1 + Math.Cos(Math.PI * Cycles * 2 * Progress(step, steps))) * (1 - Least)) + Least);
}

/// <summary>Warm-up, then several cosines from 1 to 0, each beginning anew.</summary>
/// <param name="WarmupSteps">Steps of warm-up.</param>
/// <param name="Cycles">The number of cosines.</param>
public sealed record CosineRestartsSchedule([Range(0, int.MaxValue)] int WarmupSteps = 0, [Range(1, int.MaxValue)] int Cycles = 1) : Schedule(WarmupSteps)
{
    /// <inheritdoc/>
    protected override double After(long step, long steps)
    {
        double progress = Progress(step, steps);
        return progress >= 1 ? 0 : Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * (Cycles * progress % 1))));
    }
}

/// <summary>Warm-up, then a power of a line from 1 to the least.</summary>
/// <param name="WarmupSteps">Steps of warm-up.</param>
/// <param name="Power">The exponent, &gt; 0.</param>
/// <param name="Least">The factor at the end, in [0, 1].</param>
public sealed record PolynomialSchedule([Range(0, int.MaxValue)] int WarmupSteps = 0, double Power = 1, [Range(0.0, 1.0)] double Least = 0) : Schedule(WarmupSteps)
{
    /// <inheritdoc/>
    protected override double After(long step, long steps) =>
        step > steps ? Least : ((1 - Least) * Math.Pow(1 - Progress(step, steps), Power)) + Least;
}

/// <summary>Warm-up, then 1/√ of the step.</summary>
/// <param name="WarmupSteps">Steps of warm-up.</param>
/// <param name="Timescale">Steps after which the factor has fallen to 1/√2; the warm-up where null, 10,000 without one.</param>
public sealed record InverseSqrtSchedule([Range(0, int.MaxValue)] int WarmupSteps = 0, int? Timescale = null) : Schedule(WarmupSteps)
{
    /// <inheritdoc/>
    protected override double After(long step, long steps)
    {
        int scale = Timescale ?? (WarmupSteps > 0 ? WarmupSteps : 10_000);
        return 1 / Math.Sqrt((step + scale - WarmupSteps) / (double)scale);
    }
}

/// <summary>The shape of the last part of <see cref="WarmupStableDecaySchedule"/>.</summary>
public enum DecayShape
{
    /// <summary>A line.</summary>
    Linear,

    /// <summary>Half a cosine.</summary>
    Cosine,

    /// <summary>1 − √progress.</summary>
    OneMinusSqrt,
}

/// <summary>Warm-up, a stable middle, then a decay (Hu et al., "MiniCPM", 2024): the middle can be extended without starting over.</summary>
/// <param name="WarmupSteps">Steps of warm-up.</param>
/// <param name="DecaySteps">Steps of the decay; a tenth of the run where null.</param>
/// <param name="Shape">The shape of the decay.</param>
/// <param name="Least">The lowest factor, in [0, 1]; the warm-up begins there too.</param>
/// <param name="StableSteps">Steps of the middle; all that is left where null.</param>
public sealed record WarmupStableDecaySchedule(
    [Range(0, int.MaxValue)] int WarmupSteps = 0, [Range(1, int.MaxValue)] int? DecaySteps = null, DecayShape Shape = DecayShape.Linear, [Range(0.0, 1.0)] double Least = 0, int? StableSteps = null) : Schedule(WarmupSteps)
{
    /// <inheritdoc/>
    public override double Factor(long step, long steps) => step < WarmupSteps
        ? (step / (double)Math.Max(1, WarmupSteps) * (1 - Least)) + Least
        : After(step, steps);

    /// <inheritdoc/>
    protected override double After(long step, long steps)
    {
        long decay = DecaySteps ?? Math.Max(1, steps / 10);
        long start = StableSteps is { } stable ? WarmupSteps + stable : Math.Max(WarmupSteps, steps - decay);
        if (step < start)
            return 1;
        if (step >= start + decay)
            return Least;
        double progress = (step - start) / (double)Math.Max(1, decay);
        double factor = Shape switch
        {
            DecayShape.Linear => 1 - progress,
            DecayShape.Cosine => 0.5 * (1 + Math.Cos(Math.PI * progress)),
            _ => 1 - Math.Sqrt(progress),
        };
        return Math.Max(0, (factor * (1 - Least)) + Least);
    }
}

/// <summary>Warm-up, then a drop by a factor every so many steps; with 1 step between drops an exponential decay.</summary>
/// <param name="WarmupSteps">Steps of warm-up.</param>
/// <param name="Every">Steps between drops, ≥ 1.</param>
/// <param name="Decay">The factor of a drop, in (0, 1].</param>
public sealed record StepSchedule(
    [Range(0, int.MaxValue)] int WarmupSteps = 0,
    [Range(1, int.MaxValue)] int Every = 1,
    [Range(0.0, 1.0, MinimumIsExclusive = true)] double Decay = 0.99) : Schedule(WarmupSteps)
{
    /// <inheritdoc/>
    protected override double After(long step, long steps) => Math.Pow(Decay, (step - WarmupSteps) / Math.Max(1, Every));
}

/// <summary>
/// Half a cosine up to 1, then half a cosine down to almost nothing (Smith and Topin, "Super-Convergence", 2018). The rise is the
/// warm-up, so there is no other.
/// </summary>
/// <param name="Rise">Share of the run that goes up, in (0, 1).</param>
/// <param name="First">The factor of the first step, in [0, 1].</param>
/// <param name="Last">The factor of the last step, in [0, 1].</param>
public sealed record OneCycleSchedule(
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)] double Rise = 0.3,
    [Range(0.0, 1.0)] double First = 0.04,
    [Range(0.0, 1.0)] double Last = 4e-6) : Schedule(0)
{
    /// <inheritdoc/>
    protected override double After(long step, long steps)
    {
        double top = (Rise * steps) - 1, end = Math.Max(1, steps - 1);
        return step <= top ? Between(First, 1, step / top) : Between(1, Last, Math.Min(1, (step - top) / (end - top)));
    }

    private static double Between(double from, double to, double progress) => to + ((from - to) / 2 * (1 + Math.Cos(Math.PI * progress)));
}
