using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Tensors;
using Gradus.Testing;
using Gradus.Tests.Goldens;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests.Goldens;

/// <summary>Optimizers and clipping against torch.</summary>
public sealed class OptimizerGoldens
{
    private static JsonObject Optimizers => Checkpoint.ReadObject(SharedFolder.Find("golden", "training", "optimizers", "meta.json")!);

    private static JsonObject Clipping => Checkpoint.ReadObject(SharedFolder.Find("golden", "training", "clipping", "meta.json")!);

    public static TheoryData<string, string> Cases()
    {
        TheoryData<string, string> cases = [];
        if (SharedFolder.Find("golden", "training", "optimizers") is null)
            return cases;
        foreach ((string name, JsonNode? about) in Optimizers["optimizers"]!.AsObject())
        {
            foreach (string device in IsPending(Mark(about!)) ? [] : TestDevices.Names)
                cases.Add(name, device);
        }
        return cases;
    }

    public static TheoryData<string, string> ClippingCases()
    {
        TheoryData<string, string> cases = [];
        if (SharedFolder.Find("golden", "training", "clipping") is null)
            return cases;
        foreach ((string name, JsonNode? about) in Clipping["cases"]!.AsObject())
        {
            foreach (string device in IsPending(ClippingMark(about!)) ? [] : TestDevices.Names)
                cases.Add(name, device);
        }
        return cases;
    }

    [SharedTheory("golden", "training", "optimizers")]
    [MemberData(nameof(Cases))]
    public void MakesTheSameSteps(string name, string device)
    {
        JsonObject meta = Optimizers;
        using TensorsOf golden = new(SharedFolder.Find("golden", "training", "optimizers", "trajectories.safetensors")!);
        OptimizerOptions? options = Map(meta["optimizers"]![name]!);
        Assert.NotNull(options);
        using Workspace store = new(TestDevices.Get(device));
        Parameter[] parameters = [.. meta["shapes"]!.AsObject().Select(s => new Parameter(s.Key, store.From(golden.Floats($"p0.{s.Key}"), golden.ShapeOf($"p0.{s.Key}"))))];
        foreach (Parameter p in parameters)
            p.Trainable = true;
        using Optimizer optimizer = new(options.Rules(), parameters, store.Device);
        int steps = (int)meta["steps"]!;
        // The file says whether it counts from 0 or from 1.
        int first = golden.Has($"{name}.0.{parameters[0].Name}") ? 0 : 1;
        for (int step = first; step < first + steps; step++)
        {
            foreach (Parameter p in parameters)
                p.Value.AddGradient(store.From(golden.Floats($"grad.{step}.{p.Name}"), p.Shape));
            optimizer.Step(options.LearningRate);
            foreach (Parameter p in parameters)
                PaddedBatch.Close($"{name}.{step}.{p.Name}", golden.Floats($"{name}.{step}.{p.Name}"), p.Value.Span(), 1e-5, 1e-5);
        }
    }

    [SharedTheory("golden", "training", "clipping")]
    [MemberData(nameof(ClippingCases))]
    public void ClipsTheSame(string name, string device)
    {
        JsonNode about = Clipping["cases"]![name]!;
        using TensorsOf golden = new(SharedFolder.Find("golden", "training", "clipping", "tensors.safetensors")!);
        using Workspace store = new(TestDevices.Get(device));
        List<Parameter> parameters = [];
        for (int i = 0; golden.Has($"grad.{i}"); i++)
        {
            Parameter p = new($"p{i}", store.Zeros(golden.ShapeOf($"grad.{i}"))) { Trainable = true };
            p.Value.AddGradient(store.From(golden.Floats($"grad.{i}"), p.Shape));
            parameters.Add(p);
        }
        double norm = Trainer.GradientNorm(parameters), expected = (double)about["total_norm"]!;
        Assert.True(Math.Abs(norm - expected) <= 1e-6 * expected, $"{name}: norm {norm}, expected {expected}");
        // A step of plain descent with rate 1 takes the clipped gradient off.
        using Optimizer optimizer = new(new Sgd(1).Rules(), parameters, store.Device);
        optimizer.Step(1, Trainer.ClipScale(norm, (double)about["max_norm"]!));
        for (int i = 0; i < parameters.Count; i++)
            PaddedBatch.Close($"{name}.{i}", [.. golden.Floats($"{name}.{i}").Select(g => -g)], parameters[i].Value.Span(), 1e-6);
    }

    [SharedFact("golden", "training")]
    public void PendingListNamesOnlyWhatCannotRun()
    {
        foreach (string pending in PendingGoldens.Of("training").Keys)
        {
            JsonNode[] marked = pending.Split(':')[0] switch
            {
                "optimizer" => [.. Optimizers["optimizers"]!.AsObject().Select(o => o.Value!).Where(o => Mark(o) == pending)],
                "clip" => [.. Clipping["cases"]!.AsObject().Select(c => c.Value!).Where(c => ClippingMark(c) == pending)],
                "schedule" or "trajectory" => [new JsonObject()],
                _ => [],
            };
            Assert.True(marked.Length > 0, $"{pending} is on the pending list, but there is no such case.");
            if (pending.StartsWith("optimizer:", StringComparison.Ordinal))
                Assert.All(marked, m => Assert.Null(Map(m)));
            if (pending.StartsWith("clip:", StringComparison.Ordinal))
                Assert.NotEqual("clip:norm2", pending);
        }
    }

    private static bool IsPending(string mark) => PendingGoldens.Of("training").ContainsKey(mark);

    // The class and the switches that are on.
    private static string Mark(JsonNode about) => $"optimizer:{((string)about["reference"]!).Replace(' ', '-')}" + string.Concat(
        (about["all_settings"]?.AsObject() ?? []).Where(s => s.Key is "amsgrad" or "maximize" && (bool)s.Value!).Select(s => $"+{s.Key}"));

    private static string ClippingMark(JsonNode about) => about["clip_value"] is null
        ? $"clip:norm{(about["norm_type"]!.GetValueKind() == JsonValueKind.Number ? ((double)about["norm_type"]!).ToString() : (string)about["norm_type"]!)}"
        : "clip:value";

    private static OptimizerOptions? Map(JsonNode about)
    {
        JsonNode s = about["all_settings"] ?? new JsonObject();
        double rate = (double?)s["lr"] ?? 1;
        float F(string key) => (float)s[key]!;
        float Beta(int i) => (float)s["betas"]![i]!;
        return Mark(about)["optimizer:".Length..] switch
        {
            "torch.SGD" => new Sgd(rate, F("momentum"), F("dampening"), (bool)s["nesterov"]!, F("weight_decay")),
            "torch.Adam" => new Adam(rate, Beta(0), Beta(1), F("eps"), F("weight_decay")),
            "torch.AdamW" => new AdamW(rate, Beta(0), Beta(1), F("eps"), F("weight_decay"), DecayMatricesOnly: false),
            _ => null,
        };
    }
}
