using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>y = down(f(gate(x)) · up(x)): the gated feed-forward layer of Shazeer, "GLU Variants Improve Transformer" (2020).</summary>
public sealed class GatedMlp(Linear gate, Linear up, Linear down, Activation activation) : IBlock
{
    /// <summary>The layer under the names of Llama and its descendants: <c>gate_proj</c>, <c>up_proj</c>, <c>down_proj</c>.</summary>
    /// <param name="scope">Its place.</param>
    /// <param name="width">Columns in and out, C.</param>
    /// <param name="inner">Columns between.</param>
    /// <param name="activation">The gate's activation f.</param>
    /// <param name="init">How the weights start out.</param>
    /// <param name="bias">Whether the projections have biases.</param>
    public GatedMlp(Scope scope, int width, int inner, Activation activation, Init init, bool bias = false)
        : this(
            scope.Linear("gate_proj", width, inner, bias, init),
            scope.Linear("up_proj", width, inner, bias, init),
            scope.Linear("down_proj", inner, width, bias, init),
            activation)
    {
    }

    /// <inheritdoc/>
    public Tensor Forward(Tensor x, Pass pass) => down.Forward(Inner(x, pass), pass);

    /// <inheritdoc/>
    public Tensor AddTo(Tensor residual, Tensor x, Pass pass, float dropout) => down.AddTo(residual, Inner(x, pass), pass, dropout);

    private Tensor Inner(Tensor x, Pass pass) => gate.Forward(x, pass).Gate(activation, up.Forward(x, pass));
}

/// <summary>y = contract(f(expand(x))): the feed-forward layer of Vaswani et al. (2017).</summary>
public sealed class Mlp(Linear expand, Linear contract, Activation activation) : IBlock
{
    /// <inheritdoc/>
    public Tensor Forward(Tensor x, Pass pass) => contract.Forward(Inner(x, pass), pass);

    /// <inheritdoc/>
    public Tensor AddTo(Tensor residual, Tensor x, Pass pass, float dropout) => contract.AddTo(residual, Inner(x, pass), pass, dropout);

    private Tensor Inner(Tensor x, Pass pass) => expand.Forward(x, pass, Epilogue.Activate(activation));
}
