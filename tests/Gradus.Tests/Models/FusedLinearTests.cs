using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Tests.Models;

/// <summary>Layers that let their product do the activation and the residual compute what the separate operations do, whatever sits on the layer.</summary>
public sealed class FusedLinearTests : IDisposable
{
    private const int Tokens = 5, Width = 8, Inner = 24;
    private readonly Scope _scope = new(ParameterSource.Random(3), new Workspace(ReferenceDevice.Instance));
    private readonly Linear _expand;
    private readonly Linear _contract;

    public FusedLinearTests()
    {
        _expand = _scope.Linear("expand", Width, Inner, bias: true, Init.Normal(1));
        _contract = _scope.Linear("contract", Inner, Width, bias: true, Init.Normal(1), WeightLayout.InOut);
        foreach (Parameter p in _scope.Parts.Parameters)
            p.Trainable = true;
    }

    [Theory]
    [InlineData(false, 0f, 3)]
    [InlineData(false, 0.4f, 5)]
    [InlineData(true, 0f, 6)]
    [InlineData(true, 0.4f, 7)]
    public void TheFeedForwardLayerIsThatOfSeparateOperations(bool adapted, float dropout, int operations)
    {
        _expand.Adapter = _contract.Adapter = adapted ? new Doubling() : null;
        IBlock mlp = new Mlp(_expand, _contract, Activation.GeluTanh);
        (float[][] fused, int recorded) = Run((x, pass) => mlp.AddTo(x, x, pass, dropout));
        (float[][] apart, _) = Run((x, pass) => x.Add(pass.Dropout(_contract.Forward(_expand.Forward(x, pass).Activate(Activation.GeluTanh), pass), dropout)));
        Assert.Equal(apart, fused);
        Assert.Equal(operations, recorded);
    }

    [Fact]
    public void APartThatKnowsNothingOfResidualsIsAddedToThem()
    {
        IBlock part = new Part();
        (float[][] together, _) = Run((x, pass) => part.AddTo(x, x, pass, 0.3f));
        (float[][] apart, _) = Run((x, pass) => x.Add(pass.Dropout(part.Forward(x, pass), 0.3f)));
        Assert.Equal(apart, together);
    }

    public void Dispose() => _scope.Parts.Store.Dispose();

    private (float[][] Results, int Recorded) Run(Func<Tensor, Pass, Tensor> layer)
    {
        using Workspace w = _scope.Parts.Store.NewScratch();
        foreach (Parameter p in _scope.Parts.Parameters)
            p.ClearGradient();
        Pass pass = new(new TokenBatch(new int[Tokens]), w);
        pass.Train(7);
        Tensor x = w.From([.. Enumerable.Range(0, Tokens * Width).Select(i => (float)CounterRandom.Normal(1, i))], new Shape(Tokens, Width));
        Tape tape = w.StartTape();
        Tape.Watch(x);
        Tensor y = layer(x, pass);
        float[] values = y.ToArray();
        int recorded = tape.Count;
        tape.Backward(y, w.From(values, y.Shape));
        return ([values, x.Gradient!.ToArray(), .. _scope.Parts.Parameters.Select(p => p.Gradient?.ToArray() ?? [])], recorded);
    }

    // y = 2·(W·x + b).
    private sealed class Doubling : Adapter
    {
        public override IReadOnlyList<Parameter> Parameters => [];

        public override Tensor Forward(Linear layer, Tensor x, Pass pass) => layer.Base(x).Scale(2);

        public override Tensor Merge(Linear layer, Workspace workspace) => layer.Weight.Dense(workspace).Scale(2);
    }

    private sealed class Part : IBlock
    {
        public Tensor Forward(Tensor x, Pass pass) => x.Scale(0.5f);
    }
}
