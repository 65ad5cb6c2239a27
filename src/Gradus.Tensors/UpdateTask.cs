namespace Gradus.Tensors;

/// <summary>One tensor's share of an optimizer step: u = s·g, every part changes u in turn, then value += u.</summary>
/// <param name="Value">The tensor to update.</param>
/// <param name="Gradient">g, of as many elements; only read.</param>
/// <param name="GradientScale">s.</param>
/// <param name="Parts">The parts, in order.</param>
public readonly record struct UpdateTask(Tensor Value, Tensor Gradient, float GradientScale, ReadOnlyMemory<UpdatePart> Parts)
{
    /// <summary>Where u is written instead of being added to the value, which is only read then; null to update the value.</summary>
    public Tensor? Output { get; init; }
}

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

    /// <summary><see cref="UpdatePart.AdamVariant"/>.</summary>
    AdamVariant,

    /// <summary><see cref="UpdatePart.Clamp"/>.</summary>
    Clamp,

    /// <summary><see cref="UpdatePart.AddAgreeingValue"/>.</summary>
    AddAgreeingValue,

    /// <summary><see cref="UpdatePart.RootMeanSquare"/>.</summary>
    RootMeanSquare,

    /// <summary><see cref="UpdatePart.Adamax"/>.</summary>
    Adamax,

    /// <summary><see cref="UpdatePart.Adadelta"/>.</summary>
    Adadelta,

    /// <summary><see cref="UpdatePart.Lion"/>.</summary>
    Lion,
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

    /// <summary>The third.</summary>
    public Tensor? Third { get; private init; }

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

    /// <summary>The weight of the update in what comes out of <see cref="UpdateKind.AdamVariant"/>.</summary>
    public float F { get; private init; }

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

    /// <summary>Relatives of Adam: m = β₁m + (1 − β₁)u, v = β₂v + (1 − β₂)u², u = (a·m + b·u)/(√(s·v) + ε), where v is the largest so far if that is remembered.</summary>
    /// <param name="m">First moments, updated.</param>
    /// <param name="v">Second moments, updated.</param>
    /// <param name="largest">The largest second moments so far, updated and used in place of v (AMSGrad); or null.</param>
    /// <param name="beta1">β₁ in [0, 1).</param>
    /// <param name="beta2">β₂ in [0, 1).</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="momentWeight">a.</param>
    /// <param name="updateWeight">b.</param>
    /// <param name="squareScale">s.</param>
    public static UpdatePart AdamVariant(
        Tensor m, Tensor v, Tensor? largest, float beta1, float beta2, float epsilon, double momentWeight, double updateWeight, double squareScale) => new()
        {
            Kind = UpdateKind.AdamVariant,
            First = m,
            Second = v,
            Third = largest,
            A = beta1,
            B = beta2,
            C = epsilon,
            D = (float)momentWeight,
            E = (float)squareScale,
            F = (float)updateWeight,
        };

    /// <summary>u = u, but at most <paramref name="limit"/> in size.</summary>
    public static UpdatePart Clamp(float limit) => new() { Kind = UpdateKind.Clamp, A = limit };

    /// <summary>u += λ·value where u and the value have the same sign, so that decay never undoes the update.</summary>
    public static UpdatePart AddAgreeingValue(float lambda) => new() { Kind = UpdateKind.AddAgreeingValue, A = lambda };

    /// <summary>v = decay·v + share·u², u = u/(√v + ε); centred on a running mean g = decay·g + share·u where there is one: √(v − g²).</summary>
    public static UpdatePart RootMeanSquare(Tensor v, Tensor? mean, float decay, float share, float epsilon) =>
        new() { Kind = UpdateKind.RootMeanSquare, First = v, Second = mean, A = decay, B = share, C = epsilon };

    /// <summary>m = β₁m + (1 − β₁)u, n = max(β₂n, |u| + ε), u = scale·m/n.</summary>
    public static UpdatePart Adamax(Tensor m, Tensor largest, float beta1, float beta2, float epsilon, double scale) =>
        new() { Kind = UpdateKind.Adamax, First = m, Second = largest, A = beta1, B = beta2, C = epsilon, D = (float)scale };

    /// <summary>v = ρv + (1 − ρ)u², u = √(d + ε)/√(v + ε)·u, d = ρd + (1 − ρ)u².</summary>
    public static UpdatePart Adadelta(Tensor v, Tensor deltas, float decay, float epsilon) =>
        new() { Kind = UpdateKind.Adadelta, First = v, Second = deltas, A = decay, C = epsilon };

    /// <summary>With c = β₁m + (1 − β₁)u: m = β₂m + (1 − β₂)u, u = sign c.</summary>
    public static UpdatePart Lion(Tensor m, float beta1, float beta2) => new() { Kind = UpdateKind.Lion, First = m, A = beta1, B = beta2 };

    /// <summary>The same with other tensors to remember.</summary>
    internal UpdatePart Over(Tensor? first, Tensor? second, Tensor? third) => this with { First = first, Second = second, Third = third };
}
