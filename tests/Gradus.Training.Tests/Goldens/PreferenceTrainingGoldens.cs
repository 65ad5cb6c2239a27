using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Testing;
using Gradus.Tests.Goldens;
using Gradus.Training.Alignment;
using Gradus.Training.Data;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests.Goldens;

/// <summary>Whole runs of preference methods against TRL.</summary>
public sealed class PreferenceTrainingGoldens
{
    public static TheoryData<string> Cases() =>
        SharedFolder.Find("golden", "alignment", "end_to_end") is null ? [] : [.. Expected["runs"]!.AsObject().Select(r => r.Key)];

    private static JsonObject Expected => Checkpoint.ReadObject(SharedFolder.Find("golden", "alignment", "end_to_end", "expected.json")!);

    [SharedTheory("golden", "alignment", "end_to_end")]
    [MemberData(nameof(Cases))]
    public void TrainsTheSame(string name)
    {
        string folder = SharedFolder.Find("golden", "alignment", "end_to_end")!;
        using GenerativeModel model = Assert.IsAssignableFrom<GenerativeModel>(Checkpoint.Load(Path.GetFullPath(Path.Combine(folder, (string)Expected["base"]!)), TestDevices.Get(TestDevices.Names.Last())));
        model.SetTrainable(true);
        PreferenceLoss loss = name switch
        {
            "dpo" => new SigmoidLoss(0.1),
            "orpo" => new OrpoLoss(0.1),
            "simpo" => new SimpoLoss(2, 0.5),
            _ => throw new InvalidDataException($"{name}: no method of ours."),
        };
        PreferenceExamples examples = new(Pairs(Path.Combine(folder, "batch.safetensors")), 1000, 0);
        if (loss.UsesReference)
            examples.SetReference(model, Precision.F32);
        PreferenceObjective objective = new(loss, examples, sftOnPrompts: true);
        JsonArray log = Expected["runs"]![name]!.AsArray();
        using Trainer trainer = new(model, objective, new TrainingOptions(log.Count, ClipNorm: 0) { Optimizer = new AdamW(2e-3, DecayMatricesOnly: false) });
        foreach (JsonNode? line in log)
        {
            StepReport report = trainer.Step();
            Near($"{name} step {report.Step}: loss", (double)line!["loss"]!, report.Loss);
            Near($"{name}: chosen", Mean(line["rewards_chosen"]!), report.Metrics["rewards/chosen"]);
            Near($"{name}: rejected", Mean(line["rewards_rejected"]!), report.Metrics["rewards/rejected"]);
        }

        static double Mean(JsonNode values) => values.AsArray().Average(v => (double)v!);
    }

    private static PreferenceExample[] Pairs(string path)
    {
        using TensorsOf file = new(path);
        Example[] chosen = Answers("chosen"), rejected = Answers("rejected");
        return [.. chosen.Zip(rejected, (c, r) => new PreferenceExample(c, r))];

        Example[] Answers(string kind)
        {
            int columns = file.ShapeOf($"{kind}_input_ids")[1];
            int[] ids = file.Ints($"{kind}_input_ids"), mask = file.Ints($"{kind}_attention_mask"), labels = file.Ints($"{kind}_labels");
            return [.. Enumerable.Range(0, ids.Length / columns).Select(r =>
            {
                int[] kept = [.. Enumerable.Range(r * columns, columns).Where(i => mask[i] == 1)];
                return new Example([.. kept.Select(i => ids[i])], [.. kept.Select(i => labels[i] >= 0)]);
            })];
        }
    }

    private static void Near(string what, double expected, double actual) =>
        Assert.True(Math.Abs(expected - actual) <= 1e-3 * (1 + Math.Abs(expected)), $"{what} is {actual}, expected {expected}");
}
