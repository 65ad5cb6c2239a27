namespace Gradus.Tensors;

/// <summary>What a product makes of its sums S = op(A)·op(B) (+ C) (+ bias) while they are still in the cache.</summary>
public enum EpilogueKind
{
    /// <summary>C = S.</summary>
    None,

    /// <summary>C = S + R.</summary>
    Residual,

    /// <summary>C = f(S).</summary>
    Activation,

    /// <summary>C = S · f′(H): the gradient of H where S is that of f(H).</summary>
    Slope,
}

/// <summary>
/// The element-wise end of a matrix product. It gives the bits that the separate operation would give on the stored sums, without writing
/// and reading them in between. Its tensors have the shape of C and are not C. Left out: gates, f(G) · S. Their three streams of memory beside
/// C, and four in the backward pass, come in faster by themselves, one row after the other, than tile by tile.
/// </summary>
/// <remarks>The default value leaves the sums as they are.</remarks>
public readonly record struct Epilogue
{
    private Epilogue(EpilogueKind kind, Activation function, Tensor? input)
    {
        Kind = kind;
        Function = function;
        Input = input;
    }

    /// <summary>What is done.</summary>
    public EpilogueKind Kind { get; }

    /// <summary>f.</summary>
    public Activation Function { get; }

    /// <summary>What is read: R or H.</summary>
    public Tensor? Input { get; }

    /// <summary>Where S is written beside C = f(S), because a derivative will need it; or null.</summary>
    public Tensor? Sums { get; private init; }

    /// <summary>C = S + R.</summary>
    public static Epilogue Residual(Tensor residual)
    {
        ArgumentNullException.ThrowIfNull(residual);
        return new Epilogue(EpilogueKind.Residual, Activation.Identity, residual);
    }

    /// <summary>C = f(S).</summary>
    /// <param name="f">The activation; the identity is no epilogue.</param>
    /// <param name="sums">Receives S, or null.</param>
    public static Epilogue Activate(Activation f, Tensor? sums = null) =>
        f == Activation.Identity ? default : new Epilogue(EpilogueKind.Activation, f, null) { Sums = sums };

    /// <summary>C = S · f′(H).</summary>
    public static Epilogue Slope(Activation f, Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new Epilogue(EpilogueKind.Slope, f, input);
    }

    /// <summary>The same by separate operations, recorded as such, on sums that are not a product's.</summary>
    /// <param name="sums">S.</param>
    /// <exception cref="InvalidOperationException">The epilogue is one of a backward pass.</exception>
    public Tensor Of(Tensor sums)
    {
        ArgumentNullException.ThrowIfNull(sums);
        return Kind switch
        {
            EpilogueKind.None => sums,
            EpilogueKind.Residual => Input!.Add(sums),
            EpilogueKind.Activation => sums.Activate(Function),
            _ => throw BelongsToBackward(),
        };
    }

    /// <summary>The same on other tensors.</summary>
    internal Epilogue Over(Tensor? input, Tensor? sums) => new(Kind, Function, input) { Sums = sums };

    /// <summary>The epilogue of a product that makes y, with a place for S where that is recorded.</summary>
    /// <exception cref="ArgumentException">The residual has another shape than y.</exception>
    /// <exception cref="InvalidOperationException">The epilogue is one of a backward pass.</exception>
    internal Epilogue For(Tensor y, bool records)
    {
        if (Kind == EpilogueKind.Slope)
            throw BelongsToBackward();
        if (Input is { } residual && residual.Shape != y.Shape)
            throw new ArgumentException($"Linear: the product is {y.Shape}, but the residual {residual.Shape}.");
        return records && Kind == EpilogueKind.Activation ? Activate(Function, y.Workspace.Empty(y.Shape)) : this;
    }

    private static InvalidOperationException BelongsToBackward() => new("The slope belongs to a backward pass; a layer takes a residual or an activation.");
}
