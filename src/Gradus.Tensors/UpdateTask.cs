namespace Gradus.Tensors;

/// <summary>One tensor's share of an optimizer step: u = s·g, every part changes u in turn, then value += u.</summary>
/// <param name="Value">The tensor to update.</param>
/// <param name="Gradient">g, of as many elements; only read.</param>
/// <param name="GradientScale">s.</param>
/// <param name="Parts">The parts, in order.</param>
public readonly record struct UpdateTask(Tensor Value, Tensor Gradient, float GradientScale, ReadOnlyMemory<UpdatePart> Parts);

/// <summary>What an <see cref="UpdatePart"/> does.</summary>
public enum UpdateKind
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary><see cref="UpdatePart.Scale"/>.</summary>
    Scale,

    /// <summary><see cref="UpdatePart.AddValue"/>.</summary>
    AddValue,

    /// <summary><see cref="UpdatePart.Trace"/>.</summary>
    Trace,

    /// <summary><see cref="UpdatePart.Adam"/>.</summary>
    Adam,
}

/// <summary>One element-wise part of an update, from which optimizers are put together; the default does nothing.</summary>
/// <remarks>A device runs all parts while an element is in a register or the cache, so a step reads and writes everything once.</remarks>
public readonly record struct UpdatePart
{
    /// <summary>What it does.</summary>
    public UpdateKind Kind { get; private init; }

    /// <summary>The first tensor that it remembers, of the value's shape; null if none.</summary>
    public Tensor? First { get; private init; }

    /// <summary>The second.</summary>
    public Tensor? Second { get; private init; }

    /// <summary>α, λ, the decay of the trace, or β₁.</summary>
    public float A { get; private init; }

    /// <summary>The share of an update that enters the trace, or β₂.</summary>
    public float B { get; private init; }

    /// <summary>The weight of the trace in what comes out, or ε.</summary>
    public float C { get; private init; }

    /// <summary>The weight of the update in what comes out of the trace, or 1/c₁.</summary>
    public float D { get; private init; }

    /// <summary>1/c₂.</summary>
    public float E { get; private init; }

    /// <summary>u = αu.</summary>
    public static UpdatePart Scale(float alpha) => new() { Kind = UpdateKind.Scale, A = alpha };

    /// <summary>u += λ·value.</summary>
    public static UpdatePart AddValue(float lambda) => new() { Kind = UpdateKind.AddValue, A = lambda };

    /// <summary>trace = decay·trace + share·u, then u = traceWeight·trace + updateWeight·u.</summary>
    public static UpdatePart Trace(Tensor trace, float decay, float share, float traceWeight, float updateWeight) =>
        new() { Kind = UpdateKind.Trace, First = trace, A = decay, B = share, C = traceWeight, D = updateWeight };

    /// <summary>Adam's direction: m = β₁m + (1 − β₁)u, v = β₂v + (1 − β₂)u², u = (m/c₁)/(√(v/c₂) + ε) with cᵢ = 1 − βᵢᵗ.</summary>
    /// <param name="m">First moments, updated.</param>
    /// <param name="v">Second moments, updated.</param>
    /// <param name="beta1">β₁ in [0, 1).</param>
    /// <param name="beta2">β₂ in [0, 1).</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="step">t, from 1.</param>
    public static UpdatePart Adam(Tensor m, Tensor v, float beta1, float beta2, float epsilon, long step) => new()
    {
        Kind = UpdateKind.Adam,
        First = m,
        Second = v,
        A = beta1,
        B = beta2,
        C = epsilon,
        D = (float)(1 / (1 - Math.Pow(beta1, step))),
        E = (float)(1 / (1 - Math.Pow(beta2, step))),
    };
}
