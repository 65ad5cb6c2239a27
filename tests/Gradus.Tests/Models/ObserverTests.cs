using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>An observer sees what runs, once, and changes nothing.</summary>
public sealed class ObserverTests
{
    public static TheoryData<string> Models() => [.. TinyModels.Names];

    [Theory]
    [MemberData(nameof(Models))]
    public void TheInputOfEveryLinearLayerIsSeen(string name)
    {
        using GenerativeModel model = TinyModels.Make(name, TinyModels.Cpu(2));
        int[] prompt = TinyModels.Prompt(12, 4);
        using Workspace step = model.Parts.Store.NewScratch();
        float[] unobserved = model.Logits(new Pass(TinyModels.Batch(model, prompt), step)).ToArray();

        Dictionary<Linear, int> seen = [];
        Assert.Equal(unobserved, model.Logits(Observed(model, prompt, step, seen)).ToArray());
        // Experts that no token went to do not run.
        Assert.All(model.Parts.Linears.Where(l => model.LoadBalancing is null || !l.Path.Contains("experts", StringComparison.Ordinal)), l => Assert.Equal(1, seen.GetValueOrDefault(l)));
        Assert.Contains(model.Head, seen.Keys);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void ABlockThatIsComputedAgainIsSeenOnce(string name)
    {
        using GenerativeModel model = TinyModels.Make(name, TinyModels.Cpu(2));
        model.SetTrainable(true);
        int[] prompt = TinyModels.Prompt(12, 4);
        using Workspace step = model.Parts.Store.NewScratch();
        Tape tape = step.StartTape();
        Dictionary<Linear, int> seen = [];
        Pass pass = Observed(model, prompt, step, seen);
        pass.Recompute = true;
        tape.Backward(model.Losses(pass, step.From([.. prompt[1..], -100])).Sum());
        Assert.All(seen, s => Assert.Equal(1, s.Value));
        Assert.Contains(model.Head, seen.Keys);
    }

    private static Pass Observed(GenerativeModel model, int[] prompt, Workspace step, Dictionary<Linear, int> seen)
    {
        LinearInputs observer = new((linear, x) =>
        {
            Assert.Equal(linear.Weight.Inputs, x.Shape.Columns);
            seen[linear] = seen.GetValueOrDefault(linear) + 1;
        });
        Pass pass = new(TinyModels.Batch(model, prompt), step) { Observer = observer };
        if (pass.Source is { } source)
            source.Observer = observer;
        return pass;
    }
}
