// What is done to every element of a tile: activations, gates and their slopes, and the sum with a residual. A matrix product calls it on
// the tiles of C that it has just finished, an element-wise operation on the pieces of its tensors; so both give the same bits.

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Gradus.Tensors.Cpu;

/// <summary>An element-wise step, and where what it reads and writes beside the sums lies: all alike, in rows of one distance.</summary>
internal unsafe readonly struct TileStep
{
    /// <summary>
    /// (step, sums, the distance of their rows, the tile's first element in all other tensors, the distance of their rows, rows, columns); null
    /// does nothing.
    /// </summary>
    public delegate*<TileStep*, float*, nint, nint, nint, int, int, void> Kernel { get; init; }

    /// <summary>f.</summary>
    public Activation Function { get; init; }

    /// <summary>The result; may be the memory of the sums.</summary>
    public float* Target { get; init; }

    /// <summary>R, G or H, or null.</summary>
    public float* Input { get; init; }

    /// <summary>U, or null.</summary>
    public float* Up { get; init; }

    /// <summary>The second result, or null.</summary>
    public float* Output { get; init; }

    /// <summary>Whether there is nothing to do.</summary>
    public bool IsNone => Kernel == null;

    /// <summary>The step that ends a product.</summary>
    public static TileStep Of<T>(in Epilogue epilogue, Tensor c)
        where T : unmanaged, ILanes<T> => epilogue.Kind == EpilogueKind.None ? default : new TileStep
        {
            Kernel = TileKernels<T>.Of(epilogue.Kind, epilogue.Function),
            Function = epilogue.Function,
            Target = c.Floats,
            Input = epilogue.Input is { } input ? input.Floats : null,
            Output = epilogue.Sums is { } sums ? sums.Floats : null,
        };

    /// <summary>The same step on tensors that begin some elements further on.</summary>
    public TileStep From(nint offset) => this with
    {
        Target = Target + offset,
        Input = Input == null ? null : Input + offset,
        Up = Up == null ? null : Up + offset,
        Output = Output == null ? null : Output + offset,
    };

    /// <summary>Does it on a tile.</summary>
    /// <param name="sums">The tile's sums.</param>
    /// <param name="sumStride">The distance of their rows, in floats.</param>
    /// <param name="first">The tile's first element in the other tensors.</param>
    /// <param name="stride">The distance of their rows, in floats.</param>
    /// <param name="rows">Rows of the tile.</param>
    /// <param name="columns">Columns of the tile.</param>
    public void Run(float* sums, nint sumStride, nint first, nint stride, int rows, int columns)
    {
        fixed (TileStep* step = &this)
            Kernel(step, sums, sumStride, first, stride, rows, columns);
    }
}

/// <summary>What is made of values S with an activation.</summary>
internal enum TileFunction
{
    /// <summary>f(S).</summary>
    Value,

    /// <summary>S · f′(H).</summary>
    Slope,

    /// <summary>f(G) · S.</summary>
    Gate,

    /// <summary>S · f(G), and S · U · f′(G).</summary>
    GateSlope,
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
    private const int NarrowColumns = 64;

    /// <summary>The kernel of an epilogue that does something.</summary>
    public static delegate*<TileStep*, float*, nint, nint, nint, int, int, void> Of(EpilogueKind kind, Activation f) => kind switch
    {
        EpilogueKind.Residual => &Run<Residual>,
        EpilogueKind.Activation => Of(TileFunction.Value, f),
        EpilogueKind.Slope => Of(TileFunction.Slope, f),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    /// <summary>The kernel of a function of an activation.</summary>
    public static delegate*<TileStep*, float*, nint, nint, nint, int, int, void> Of(TileFunction function, Activation f) => f switch
    {
        Activation.GeluTanh => Of<GeluTanh<T>>(function),
        Activation.Gelu => Of<Gelu<T>>(function),
        Activation.Silu => Of<Silu<T>>(function),
        Activation.Relu => Of<Relu<T>>(function),
        Activation.Tanh => Of<Tanh<T>>(function),
        Activation.Sigmoid => Of<Logistic<T>>(function),
        _ => Of<ByDefinition<T>>(function),
    };

    private static delegate*<TileStep*, float*, nint, nint, nint, int, int, void> Of<TF>(TileFunction function)
        where TF : unmanaged, IActivation<T, TF> => function switch
        {
            TileFunction.Value => &Run<Value<TF>>,
            TileFunction.Slope => &Run<Slope<TF>>,
            TileFunction.Gate => &Run<Gate<TF>>,
            _ => &Run<GateSlope<TF>>,
        };

    // Rows of a tile are far apart, so no prefetcher of the processor foresees them. While the arithmetic runs, what comes next is fetched into
    // the L2 cache: the tile to the right of a narrow one, the next row of a wide one. It may lie outside the tensors; prefetches never fault.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<TStep>(TileStep* step, float* s, nint sumStride, nint first, nint stride, int rows, int columns)
        where TStep : ITileStep<T>
    {
        bool reads = step->Input != null, readsUp = step->Up != null, writes = step->Output != null, fetches = Sse.IsSupported && rows > 1;
        nint ahead = columns <= NarrowColumns ? columns : stride;
        for (; rows > 0; rows--, s += sumStride, first += stride)
        {
            float* y = step->Target + first, input = step->Input + first, up = step->Up + first, output = step->Output + first;
            int i = 0;
            for (; i <= columns - T.Width; i += T.Width)
            {
                T result = TStep.Apply(step->Function, T.Load(s + i), reads ? T.Load(input + i) : T.Zero, readsUp ? T.Load(up + i) : T.Zero, out T second);
                if (writes)
                    T.Store(output + i, second);
                T.Store(y + i, result);
                if (fetches)
                {
                    Sse.Prefetch1(y + ahead + i);
                    if (reads)
                        Sse.Prefetch1(input + ahead + i);
                    if (writes)
                        Sse.Prefetch1(output + ahead + i);
                }
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
