// Activations over lanes: those that models train with have formulas of their own, the others are computed by their definition.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>An activation over lanes with its slope.</summary>
internal interface IActivation<T, TSelf>
    where T : unmanaged, ILanes<T>
    where TSelf : unmanaged, IActivation<T, TSelf>
{
    /// <summary>The function that stands for an activation.</summary>
    static virtual TSelf Of(Activation f) => default;

    /// <summary>f(x).</summary>
    T Value(T x);

    /// <summary>f′(x).</summary>
    T Slope(T x);
}

/// <summary>1/(1 + e⁻ˣ).</summary>
internal readonly struct Logistic<T> : IActivation<T, Logistic<T>>
    where T : unmanaged, ILanes<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sigmoid(T x) => T.Broadcast(1f) / (T.Broadcast(1f) + LaneMath<T>.Exp(-x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Value(T x) => Sigmoid(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Slope(T x) => Sigmoid(x) * Sigmoid(-x);
}

/// <summary>max(x, 0).</summary>
internal readonly struct Relu<T> : IActivation<T, Relu<T>>
    where T : unmanaged, ILanes<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Value(T x) => T.Max(T.Zero, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Slope(T x) => T.Select(T.Less(T.Zero, x), T.Broadcast(1f), T.Zero);
}

/// <summary>tanh x.</summary>
internal readonly struct Tanh<T> : IActivation<T, Tanh<T>>
    where T : unmanaged, ILanes<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Value(T x) => LaneMath<T>.Tanh(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Slope(T x)
    {
        T t = LaneMath<T>.Tanh(x);
        return T.Broadcast(1f) - (t * t);
    }
}

/// <summary>x · σ(x).</summary>
internal readonly struct Silu<T> : IActivation<T, Silu<T>>
    where T : unmanaged, ILanes<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Value(T x) => x / (T.Broadcast(1f) + LaneMath<T>.Exp(-x));

    // σ + xσ(1 − σ)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Slope(T x)
    {
        T s = Logistic<T>.Sigmoid(x);
        return s * T.Fma(x, T.Broadcast(1f) - s, T.Broadcast(1f));
    }
}

/// <summary>x · Φ(x), Φ(x) = (1 + erf(x/√2))/2.</summary>
internal readonly struct Gelu<T> : IActivation<T, Gelu<T>>
    where T : unmanaged, ILanes<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Value(T x) => x * Normal(x);

    // Φ(x) + x·φ(x)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Slope(T x)
    {
        T density = T.Broadcast(0.3989422804f) * LaneMath<T>.Exp(T.Broadcast(-0.5f) * x * x);
        return T.Fma(x, density, Normal(x));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Normal(T x) => T.Fma(T.Broadcast(0.5f), LaneMath<T>.Erf(x * T.Broadcast(0.70710678f)), T.Broadcast(0.5f));
}

/// <summary>x·σ(2u), u = √(2/π)(x + 0.044715x³): the same as x/2·(1 + tanh u).</summary>
internal readonly struct GeluTanh<T> : IActivation<T, GeluTanh<T>>
    where T : unmanaged, ILanes<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Value(T x) => x / (T.Broadcast(1f) + ExpMinusTwice(x, x * x));

    // s + x·s(1 − s)·2u′
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Slope(T x)
    {
        T square = x * x, s = T.Broadcast(1f) / (T.Broadcast(1f) + ExpMinusTwice(x, square));
        T slope = T.Fma(T.Broadcast(1.5957691216f * 3f * 0.044715f), square, T.Broadcast(1.5957691216f));
        return s * T.Fma(T.Fma(-s, x, x), slope, T.Broadcast(1f));
    }

    // e⁻²ᵘ = 2^(−2u·log₂ e)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T ExpMinusTwice(T x, T square) =>
        LaneMath<T>.Exp2(x * T.Fma(T.Broadcast(-2.3022082f * 0.044715f), square, T.Broadcast(-2.3022082f)));
}

/// <summary>The rarer activations, by their definition in double precision, lane by lane.</summary>
internal readonly unsafe struct ByDefinition<T>(Activation f) : IActivation<T, ByDefinition<T>>
    where T : unmanaged, ILanes<T>
{
    public static ByDefinition<T> Of(Activation f) => new(f);

    public T Value(T x)
    {
        float* lanes = (float*)&x;
        for (int i = 0; i < T.Width; i++)
            lanes[i] = (float)f.Apply(lanes[i]);
        return x;
    }

    public T Slope(T x)
    {
        float* lanes = (float*)&x;
        for (int i = 0; i < T.Width; i++)
            lanes[i] = (float)f.Derivative(lanes[i]);
        return x;
    }
}
