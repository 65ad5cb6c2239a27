// Activations, gates, dropout and Adam: element-wise work with more arithmetic in it.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>An activation over lanes with its slope.</summary>
internal interface IActivation<T>
    where T : unmanaged, ILanes<T>
{
    /// <summary>f(x).</summary>
    static abstract T Value(T x);

    /// <summary>f′(x).</summary>
    static abstract T Slope(T x);
}

internal sealed unsafe partial class CpuDevice<T>
{
    public override void Activate(Activation f, Tensor x, Tensor y)
    {
        switch (f)
        {
            case Activation.GeluTanh:
                Map(default(ValueOf<GeluTanh>), x.Count, y.Floats, x.Floats);
                break;
            case Activation.Gelu:
                Map(default(ValueOf<Gelu>), x.Count, y.Floats, x.Floats);
                break;
            case Activation.Silu:
                Map(default(ValueOf<Silu>), x.Count, y.Floats, x.Floats);
                break;
            case Activation.Relu:
                Map(default(ValueOf<Relu>), x.Count, y.Floats, x.Floats);
                break;
            case Activation.Tanh:
                Map(default(ValueOf<Tanh>), x.Count, y.Floats, x.Floats);
                break;
            case Activation.Sigmoid:
                Map(default(ValueOf<Logistic>), x.Count, y.Floats, x.Floats);
                break;
            default:
                ScalarJob job = new() { F = f, X = x.Floats, Y = y.Floats, Count = x.Count };
                Split(x.Count, Grain, &job, &ScalarPiece);
                break;
        }
    }

    public override void ActivateGradient(Activation f, Tensor x, Tensor dy, Tensor dx)
    {
        switch (f)
        {
            case Activation.GeluTanh:
                Map(default(SlopeOf<GeluTanh>), x.Count, dx.Floats, x.Floats, dy.Floats);
                break;
            case Activation.Gelu:
                Map(default(SlopeOf<Gelu>), x.Count, dx.Floats, x.Floats, dy.Floats);
                break;
            case Activation.Silu:
                Map(default(SlopeOf<Silu>), x.Count, dx.Floats, x.Floats, dy.Floats);
                break;
            case Activation.Relu:
                Map(default(SlopeOf<Relu>), x.Count, dx.Floats, x.Floats, dy.Floats);
                break;
            case Activation.Tanh:
                Map(default(SlopeOf<Tanh>), x.Count, dx.Floats, x.Floats, dy.Floats);
                break;
            case Activation.Sigmoid:
                Map(default(SlopeOf<Logistic>), x.Count, dx.Floats, x.Floats, dy.Floats);
                break;
            default:
                ScalarJob job = new() { F = f, X = x.Floats, Dy = dy.Floats, Y = dx.Floats, Count = x.Count };
                Split(x.Count, Grain, &job, &ScalarPiece);
                break;
        }
    }

    public override void Gate(Activation f, Tensor gate, Tensor up, Tensor y)
    {
        switch (f)
        {
            case Activation.Silu:
                Map(default(Gated<Silu>), gate.Count, y.Floats, gate.Floats, up.Floats);
                break;
            case Activation.GeluTanh:
                Map(default(Gated<GeluTanh>), gate.Count, y.Floats, gate.Floats, up.Floats);
                break;
            case Activation.Gelu:
                Map(default(Gated<Gelu>), gate.Count, y.Floats, gate.Floats, up.Floats);
                break;
            case Activation.Relu:
                Map(default(Gated<Relu>), gate.Count, y.Floats, gate.Floats, up.Floats);
                break;
            default:
                Activate(f, gate, y);
                Binary(BinaryOp.Multiply, y, up, y);
                break;
        }
    }

    public override void GateGradient(Activation f, Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp)
    {
        Gate(f, gate, dy, dUp);
        switch (f)
        {
            case Activation.Silu:
                Map(default(GatedSlope<Silu>), gate.Count, dGate.Floats, gate.Floats, up.Floats, dy.Floats);
                break;
            case Activation.GeluTanh:
                Map(default(GatedSlope<GeluTanh>), gate.Count, dGate.Floats, gate.Floats, up.Floats, dy.Floats);
                break;
            case Activation.Gelu:
                Map(default(GatedSlope<Gelu>), gate.Count, dGate.Floats, gate.Floats, up.Floats, dy.Floats);
                break;
            case Activation.Relu:
                Map(default(GatedSlope<Relu>), gate.Count, dGate.Floats, gate.Floats, up.Floats, dy.Floats);
                break;
            default:
                ActivateGradient(f, gate, up, dGate);
                Binary(BinaryOp.Multiply, dGate, dy, dGate);
                break;
        }
    }

    public override void Dropout(Tensor x, float probability, ulong key, Tensor y)
    {
        DropoutJob job = new()
        {
            X = x.Floats,
            Y = y.Floats,
            Count = x.Count,
            Key = key,
            Threshold = CounterRandom.Threshold(probability),
            Scale = 1f / (1f - probability),
        };
        Split(x.Count, Grain, &job, &DropoutPiece);
    }

    private struct DropoutJob
    {
        public float* X;
        public float* Y;
        public long Count;
        public ulong Key;
        public uint Threshold;
        public float Scale;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DropoutPiece(void* context, int item, int worker)
    {
        DropoutJob* job = (DropoutJob*)context;
        long end = Math.Min(job->Count, (item + 1) * Grain);
        T threshold = T.BroadcastBits((int)job->Threshold), scale = T.Broadcast(job->Scale);
        for (long i = item * Grain; i < end; i += T.Width)
        {
            int n = (int)Math.Min(T.Width, end - i);
            T drops = T.LessBits(T.RandomBits(job->Key, i), threshold);
            T.StoreTail(job->Y + i, n, T.Select(drops, T.Zero, T.LoadTail(job->X + i, n) * scale));
        }
    }

    private struct ScalarJob
    {
        public Activation F;
        public float* X;
        public float* Dy;
        public float* Y;
        public long Count;
    }

    // The rarer activations go through their definition in double precision.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScalarPiece(void* context, int item, int worker)
    {
        ScalarJob* job = (ScalarJob*)context;
        long end = Math.Min(job->Count, (item + 1) * Grain);
        for (long i = item * Grain; i < end; i++)
            job->Y[i] = (float)(job->Dy == null ? job->F.Apply(job->X[i]) : job->Dy[i] * job->F.Derivative(job->X[i]));
    }

    private readonly struct ValueOf<TF> : IMap<T>
        where TF : IActivation<T>
    {
        public T Apply(T a, T b, T c) => TF.Value(a);
    }

    private readonly struct SlopeOf<TF> : IMap<T>
        where TF : IActivation<T>
    {
        public T Apply(T a, T b, T c) => b * TF.Slope(a);
    }

    private readonly struct Gated<TF> : IMap<T>
        where TF : IActivation<T>
    {
        public T Apply(T a, T b, T c) => TF.Value(a) * b;
    }

    private readonly struct GatedSlope<TF> : IMap<T>
        where TF : IActivation<T>
    {
        public T Apply(T a, T b, T c) => c * b * TF.Slope(a);
    }

    // 1/(1 + e⁻ˣ)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Sigmoid(T x) => T.Broadcast(1f) / (T.Broadcast(1f) + LaneMath<T>.Exp(-x));

    private readonly struct Relu : IActivation<T>
    {
        public static T Value(T x) => T.Max(T.Zero, x);

        public static T Slope(T x) => T.Select(T.Less(T.Zero, x), T.Broadcast(1f), T.Zero);
    }

    private readonly struct Tanh : IActivation<T>
    {
        public static T Value(T x) => LaneMath<T>.Tanh(x);

        public static T Slope(T x)
        {
            T t = LaneMath<T>.Tanh(x);
            return T.Broadcast(1f) - (t * t);
        }
    }

    private readonly struct Logistic : IActivation<T>
    {
        public static T Value(T x) => Sigmoid(x);

        public static T Slope(T x) => Sigmoid(x) * Sigmoid(-x);
    }

    private readonly struct Silu : IActivation<T>
    {
        public static T Value(T x) => x / (T.Broadcast(1f) + LaneMath<T>.Exp(-x));

        // σ + xσ(1 − σ)
        public static T Slope(T x)
        {
            T s = Sigmoid(x);
            return s * T.Fma(x, T.Broadcast(1f) - s, T.Broadcast(1f));
        }
    }

    private readonly struct Gelu : IActivation<T>
    {
        // x·Φ(x), Φ(x) = (1 + erf(x/√2))/2
        public static T Value(T x) => x * Normal(x);

        // Φ(x) + x·φ(x)
        public static T Slope(T x)
        {
            T density = T.Broadcast(0.3989422804f) * LaneMath<T>.Exp(T.Broadcast(-0.5f) * x * x);
            return T.Fma(x, density, Normal(x));
        }

        private static T Normal(T x) => T.Fma(T.Broadcast(0.5f), LaneMath<T>.Erf(x * T.Broadcast(0.70710678f)), T.Broadcast(0.5f));
    }

    private readonly struct GeluTanh : IActivation<T>
    {
        // x·σ(2u), u = √(2/π)(x + 0.044715x³): the same as x/2·(1 + tanh u)
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Value(T x) => x / (T.Broadcast(1f) + ExpMinusTwice(x, x * x));

        // s + x·s(1 − s)·2u′
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Slope(T x)
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
}
