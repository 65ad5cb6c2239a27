using System.Globalization;
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
        // Optimizers of matrices have no other parameters in their trajectories.
        int steps = (int)meta["steps"]!, first = golden.Has($"{name}.0.{meta["shapes"]!.AsObject().First().Key}") ? 0 : 1;
        Parameter[] parameters = [.. meta["shapes"]!.AsObject().Where(s => golden.Has($"{name}.{first}.{s.Key}")).Select(s => new Parameter(s.Key, store.From(golden.Floats($"p0.{s.Key}"), golden.ShapeOf($"p0.{s.Key}"))))];
        foreach (Parameter p in parameters)
            p.Trainable = true;
        Assert.NotEmpty(parameters);
        // A reference that rounds its products to bfloat16 says so; ours does so only where the device has such products.
        string note = (string?)meta["optimizers"]![name]!["note"] ?? "";
        double tolerance = note.Contains("loosely", StringComparison.Ordinal) ? 0.02 : 1e-5;
        using Optimizer optimizer = new(ParameterPlan.Of(parameters, options), store.Device);
        for (int step = first; step < first + steps; step++)
        {
            foreach (Parameter p in parameters)
                p.Value.AddGradient(store.From(golden.Floats($"grad.{step}.{p.Name}"), p.Shape));
            optimizer.Step(1);
            foreach (Parameter p in parameters)
                PaddedBatch.Close($"{name}.{step}.{p.Name}", golden.Floats($"{name}.{step}.{p.Name}"), p.Value.Span(), tolerance, 1e-5);
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
        // A step of plain descent with rate 1 takes the clipped gradient off.
        using Optimizer optimizer = new(ParameterPlan.Of(parameters, new Sgd(1)), store.Device);
        if (about["clip_value"] is { } value)
        {
            optimizer.Step(1, clipValue: (float)value);
        }
        else
        {
            double norm = Gradients.Norm(parameters, Number(about["norm_type"]!)), expected = (double)about["total_norm"]!;
            Assert.True(Math.Abs(norm - expected) <= 1e-6 * expected, $"{name}: norm {norm}, expected {expected}");
            optimizer.Step(1, Gradients.ClipScale(norm, (double)about["max_norm"]!));
        }
        for (int i = 0; i < parameters.Count; i++)
            PaddedBatch.Close($"{name}.{i}", [.. golden.Floats($"{name}.{i}").Select(g => -g)], parameters[i].Value.Span(), 1e-6);
    }

    // What is new in the files, or gone from the list, is noticed: every case runs or is pending, and what runs is not pending.
    [SharedFact("golden", "training")]
    public void EveryCaseRunsOrIsPending()
    {
        IReadOnlyCollection<string> pending = [.. PendingGoldens.Of("training").Keys];
        (string Mark, bool Runs)[] known =
        [
            .. Optimizers["optimizers"]!.AsObject().Select(o => (Mark(o.Value!), Map(o.Value!) is not null)),
            .. Clipping["cases"]!.AsObject().Select(c => (ClippingMark(c.Value!), c.Value!["clip_value"] is not null || Number(c.Value!["norm_type"]!) >= 1)),
        ];
        Assert.NotEmpty(known);
        Assert.All(known, k => Assert.True(k.Runs != pending.Contains(k.Mark), $"{k.Mark} {(k.Runs ? "can run, but is on the pending list" : "can neither run nor is it on the pending list")}."));
        Assert.All(pending.Where(p => p.StartsWith("optimizer:", StringComparison.Ordinal) || p.StartsWith("clip:", StringComparison.Ordinal)), p => Assert.Contains(known, k => k.Mark == p));
    }

    private static bool IsPending(string mark) => PendingGoldens.Of("training").ContainsKey(mark);

    // JSON has no infinity: it is a string.
    private static double Number(JsonNode node) => node.GetValueKind() == JsonValueKind.Number ? (double)node : double.Parse((string)node!, CultureInfo.InvariantCulture);

    // The class and the switches that are on.
    private static string Mark(JsonNode about) => $"optimizer:{((string)about["reference"]!).Replace(' ', '-')}" + string.Concat(
        (about["all_settings"]?.AsObject() ?? []).Where(s => s.Key is "amsgrad" or "maximize" && (bool)s.Value!).Select(s => $"+{s.Key}"));

    private static string ClippingMark(JsonNode about) =>
        about["clip_value"] is null ? string.Create(CultureInfo.InvariantCulture, $"clip:norm{Number(about["norm_type"]!)}") : "clip:value";

    private static OptimizerOptions? Map(JsonNode about)
    {
        JsonNode s = about["all_settings"] ?? about["kwargs"]!;
        double rate = (double?)s["lr"] ?? 1;
        OptimizerOptions? options = ((string)about["reference"]!) switch
        {
            "torch.SGD" => new Sgd(rate, F("momentum"), F("dampening"), Is("nesterov"), F("weight_decay")),
            "torch.Adam" => new Adam(rate, Beta(0), Beta(1), F("eps"), F("weight_decay"), Is("amsgrad")),
            "torch.AdamW" => new AdamW(rate, Beta(0), Beta(1), F("eps"), F("weight_decay"), DecayMatricesOnly: false, Is("amsgrad")),
            "torch.NAdam" => new NAdam(rate, Beta(0), Beta(1), F("eps"), F("weight_decay"), F("momentum_decay"), Is("decoupled_weight_decay")),
            "torch.RAdam" => new RAdam(rate, Beta(0), Beta(1), F("eps"), F("weight_decay"), Is("decoupled_weight_decay")),
            "torch.Adamax" => new Adamax(rate, Beta(0), Beta(1), F("eps"), F("weight_decay")),
            "torch.Adadelta" => new Adadelta(rate, F("rho"), F("eps"), F("weight_decay")),
            "torch.Adagrad" => new Adagrad(rate, F("lr_decay"), F("eps"), F("weight_decay"), F("initial_accumulator_value")),
            "torch.RMSprop" => new RmsProp(rate, F("alpha"), F("eps"), F("weight_decay"), F("momentum"), Is("centered")),
            "torch.Adafactor" => new TorchAdafactor(rate, F("beta2_decay"), (float?)s["eps"]![0] ?? new TorchAdafactor().SquareEpsilon, (float)s["eps"]![1]!, F("d"), F("weight_decay")),
            "transformers.Adafactor" => new Adafactor(
                rate, (float)s["eps"]![0]!, (float)s["eps"]![1]!, F("clip_threshold"), (double)s["decay_rate"]!, (float?)s["beta1"] ?? 0, F("weight_decay"),
                Is("scale_parameter"), Is("relative_step"), Is("warmup_init")),
            // With a decoupled decay the reference divides it by the rate.
            "lion_pytorch.Lion" => new Lion(
                rate, Beta(0), Beta(1), F("weight_decay") / (about["kwargs"]!["decoupled_weight_decay"] is { } d && (bool)d ? (float)rate : 1), DecayMatricesOnly: false),
            "KellerJordan/Muon SingleDeviceMuon" => new Muon(rate, F("momentum"), (bool?)s["nesterov"] ?? true, F("weight_decay"), (int?)s["ns_steps"] ?? 5),
            _ => null,
        };
        return options is null ? null : options with { Maximize = Is("maximize") };

        float F(string key) => (float)s[key]!;
        bool Is(string key) => (bool?)s[key] ?? false;
        float Beta(int i) => (float)s["betas"]![i]!;
    }
}
