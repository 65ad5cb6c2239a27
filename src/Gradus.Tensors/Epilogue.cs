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

    /// <summary>C = f(G) · S.</summary>
    Gate,

    /// <summary>C = S · f′(H): the gradient of H where S is that of f(H).</summary>
    Slope,

    /// <summary>C = S · f(G) and dG = S · U · f′(G): the gradients of U and G where S is that of f(G) · U.</summary>
    GateSlope,
}

/// <summary>
/// The element-wise end of a matrix product. It gives the bits that the separate operation would give on the stored sums, without writing
/// and reading them in between. All of its tensors have the shape of C; those that are read are not C.
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

    /// <summary>What is read: R, G or H.</summary>
    public Tensor? Input { get; }

    /// <summary>What else is read: U of <see cref="EpilogueKind.GateSlope"/>.</summary>
    public Tensor? Up { get; private init; }

    /// <summary>
    /// What is written beside C: S itself where a derivative will need it (<see cref="EpilogueKind.Activation"/>,
    /// <see cref="EpilogueKind.Gate"/>; null where not), dG of <see cref="EpilogueKind.GateSlope"/>.
    /// </summary>
    public Tensor? Output { get; private init; }

    /// <summary>C = S + R.</summary>
    public static Epilogue Residual(Tensor residual)
    {
        ArgumentNullException.ThrowIfNull(residual);
        return new Epilogue(EpilogueKind.Residual, Activation.Identity, residual);
    }

    /// <summary>C = f(S).</summary>
    public static Epilogue Activate(Activation f) => f == Activation.Identity ? default : new Epilogue(EpilogueKind.Activation, f, null);

    /// <summary>C = f(G) · S: the gated linear units of Shazeer, "GLU Variants Improve Transformer" (2020), where S are the values that are gated.</summary>
    public static Epilogue Gate(Activation f, Tensor gate)
    {
        ArgumentNullException.ThrowIfNull(gate);
        return new Epilogue(EpilogueKind.Gate, f, gate);
    }

    /// <summary>C = S · f′(H).</summary>
    public static Epilogue Slope(Activation f, Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new Epilogue(EpilogueKind.Slope, f, input);
    }

    /// <summary>C = S · f(G), dG = S · U · f′(G).</summary>
    public static Epilogue GateSlope(Activation f, Tensor gate, Tensor up, Tensor dGate)
    {
        ArgumentNullException.ThrowIfNull(gate);
        ArgumentNullException.ThrowIfNull(up);
        ArgumentNullException.ThrowIfNull(dGate);
        return new Epilogue(EpilogueKind.GateSlope, f, gate) { Up = up, Output = dGate };
    }

    /// <summary>The same, with S written to a tensor as well (<see cref="EpilogueKind.Activation"/> and <see cref="EpilogueKind.Gate"/>).</summary>
    public Epilogue Keeping(Tensor sums) => this with { Output = sums };

    /// <summary>The epilogue of a product that makes y: checked, and with a place for S where the product is recorded and its derivative needs that.</summary>
    /// <exception cref="ArgumentException">The tensor that is read has another shape than y.</exception>
    internal Epilogue For(Tensor y, bool records)
    {
        if (Kind is EpilogueKind.Slope or EpilogueKind.GateSlope)
            throw BelongsToBackward();
        if (Input is { } input && input.Shape != y.Shape)
            throw new ArgumentException($"Linear: makes {y.Shape}, but the {Kind.ToString().ToLowerInvariant()} is {input.Shape}.", nameof(y));
        return records && Kind is EpilogueKind.Activation or EpilogueKind.Gate ? Keeping(y.Workspace.Empty(y.Shape)) : this;
    }

    /// <summary>The same by separate operations, recorded as such, on sums that something else than a product made.</summary>
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
            EpilogueKind.Gate => Input!.Gate(Function, sums),
            _ => throw BelongsToBackward(),
        };
    }

    private InvalidOperationException BelongsToBackward() => new($"{Kind} belongs to the backward pass; a forward pass takes Residual, Activate or Gate.");
}
