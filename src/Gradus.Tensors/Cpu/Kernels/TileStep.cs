// What is done to every element of a tile: activations, gates and their slopes, and the sum with a residual. A matrix product calls it on
// the tiles of C that it has just finished, an element-wise operation on the pieces of its tensors; so both give the same bits.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>An element-wise step, and where its tensors lie: all alike, in rows of one distance.</summary>
internal unsafe readonly struct TileStep
{
    /// <summary>(step, the tile's first element, the distance of its rows, rows, columns), or null: there is nothing to do.</summary>
    public delegate*<TileStep*, nint, nint, int, int, void> Kernel { get; init; }

    /// <summary>f.</summary>
    public Activation Function { get; init; }

    /// <summary>S.</summary>
    public float* Source { get; init; }

    /// <summary>The result; may be S.</summary>
    public float* Target { get; init; }

    /// <summary>R, G or H, or null.</summary>
    public float* Input { get; init; }

    /// <summary>U, or null.</summary>
    public float* Up { get; init; }

    /// <summary>The second result, or null.</summary>
    public float* Output { get; init; }

    /// <summary>The step as an operation of its own on the sums that a product stores in C.</summary>
    public static TileStep Of<T>(in Epilogue epilogue, Tensor c)
        where T : unmanaged, ILanes<T> => epilogue.Kind == EpilogueKind.None ? default : new TileStep
        {
            Kernel = TileKernels<T>.Of(epilogue.Kind, epilogue.Function),
            Function = epilogue.Function,
            Source = c.Floats,
            Target = c.Floats,
            Input = epilogue.Input is { } input ? input.Floats : null,
            Up = epilogue.Up is { } up ? up.Floats : null,
            Output = epilogue.Output is { } output ? output.Floats : null,
        };

    /// <summary>The same step on tensors that begin some elements further on.</summary>
    public TileStep From(nint offset) => this with
    {
        Source = Source + offset,
        Target = Target + offset,
        Input = Input == null ? null : Input + offset,
        Up = Up == null ? null : Up + offset,
        Output = Output == null ? null : Output + offset,
    };

    /// <summary>Does it on a tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run(nint first, nint stride, int rows, int columns)
    {
        if (Kernel == null)
            return;
        fixed (TileStep* step = &this)
            Kernel(step, first, stride, rows, columns);
    }
}

/// <summary>A step on one register of every tensor; tensors that a step has not got are zero.</summary>
internal interface ITileStep<T>
    where T : unmanaged, ILanes<T>
{
    /// <summary>The result, and a second one.</summary>
    static abstract T Apply(Activation function, T s, T input, T up, out T output);
}

/// <summary>The kernels of <see cref="TileStep"/> for one register width.</summary>
internal static unsafe class TileKernels<T>
    where T : unmanaged, ILanes<T>
{
    /// <summary>The kernel of an epilogue that does something.</summary>
    public static delegate*<TileStep*, nint, nint, int, int, void> Of(EpilogueKind kind, Activation f) => f switch
    {
        _ when kind == EpilogueKind.Residual => &Run<Residual>,
        Activation.GeluTanh => Of<GeluTanh<T>>(kind),
        Activation.Gelu => Of<Gelu<T>>(kind),
        Activation.Silu => Of<Silu<T>>(kind),
        Activation.Relu => Of<Relu<T>>(kind),
        Activation.Tanh => Of<Tanh<T>>(kind),
        Activation.Sigmoid => Of<Logistic<T>>(kind),
        _ => Of<ByDefinition<T>>(kind),
    };

    private static delegate*<TileStep*, nint, nint, int, int, void> Of<TF>(EpilogueKind kind)
        where TF : unmanaged, IActivation<T, TF> => kind switch
        {
            EpilogueKind.Activation => &Run<Value<TF>>,
            EpilogueKind.Gate => &Run<Gate<TF>>,
            EpilogueKind.Slope => &Run<Slope<TF>>,
            EpilogueKind.GateSlope => &Run<GateSlope<TF>>,
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "not an element-wise step"),
        };

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<TStep>(TileStep* step, nint first, nint stride, int rows, int columns)
        where TStep : ITileStep<T>
    {
        bool reads = step->Input != null, readsUp = step->Up != null, writes = step->Output != null;
        for (; rows > 0; rows--, first += stride)
        {
            float* s = step->Source + first, y = step->Target + first;
            float* input = step->Input + first, up = step->Up + first, output = step->Output + first;
            int i = 0;
            for (; i <= columns - T.Width; i += T.Width)
            {
                T result = TStep.Apply(step->Function, T.Load(s + i), reads ? T.Load(input + i) : T.Zero, readsUp ? T.Load(up + i) : T.Zero, out T second);
                if (writes)
                    T.Store(output + i, second);
                T.Store(y + i, result);
            }
            if (i < columns)
            {
                int n = columns - i;
                T result = TStep.Apply(step->Function, T.LoadTail(s + i, n), reads ? T.LoadTail(input + i, n) : T.Zero, readsUp ? T.LoadTail(up + i, n) : T.Zero, out T second);
                if (writes)
                    T.StoreTail(output + i, n, second);
                T.StoreTail(y + i, n, result);
            }
        }
    }

    private readonly struct Residual : ITileStep<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Apply(Activation function, T s, T input, T up, out T output) => (output = s) + input;
    }

    private readonly struct Value<TF> : ITileStep<T>
        where TF : unmanaged, IActivation<T, TF>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Apply(Activation function, T s, T input, T up, out T output) => TF.Of(function).Value(output = s);
    }

    private readonly struct Gate<TF> : ITileStep<T>
        where TF : unmanaged, IActivation<T, TF>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Apply(Activation function, T s, T input, T up, out T output) => TF.Of(function).Value(input) * (output = s);
    }

    private readonly struct Slope<TF> : ITileStep<T>
        where TF : unmanaged, IActivation<T, TF>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Apply(Activation function, T s, T input, T up, out T output) => (output = s) * TF.Of(function).Slope(input);
    }

    private readonly struct GateSlope<TF> : ITileStep<T>
        where TF : unmanaged, IActivation<T, TF>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Apply(Activation function, T s, T input, T up, out T output)
        {
            TF f = TF.Of(function);
            output = s * up * f.Slope(input);
            return f.Value(input) * s;
        }
    }
}
