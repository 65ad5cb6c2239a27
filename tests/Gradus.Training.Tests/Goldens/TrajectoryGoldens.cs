using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Testing;
using Gradus.Tests.Goldens;
using Gradus.Training.Data;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests.Goldens;

/// <summary>Whole training runs against torch and transformers: losses, norms, learning rates and final weights.</summary>
public sealed class TrajectoryGoldens
{
    private const string Prefix = "trajectory_";

    public static TheoryData<string, string, string> Cases()
    {
        TheoryData<string, string, string> cases = [];
        foreach (string name in SharedFolder.GoldenCases("training").Where(n => n.StartsWith(Prefix, StringComparison.Ordinal) && !PendingGoldens.Of("training").ContainsKey(Mark(n))))
        {
            foreach ((string run, _) in Expected(name)["runs"]!.AsObject())
            {
                foreach (string device in TestDevices.Names)
                    cases.Add(name, run, device);
            }
        }
        return cases;
    }

    [SharedTheory("golden", "training")]
    [MemberData(nameof(Cases))]
    public void TrainsTheSame(string name, string run, string device)
    {
        string folder = Folder(name);
        JsonNode about = Expected(name)["runs"]![run]!;
        JsonArray log = about["log"]!.AsArray();
        using GenerativeModel model = Assert.IsAssignableFrom<GenerativeModel>(Checkpoint.Load(folder, TestDevices.Get(device)));
        model.SetTrainable(true);
        string[] noDecay = [.. about["no_decay"]!.AsArray().Select(n => (string)n!)];
        Assert.Equal(
            noDecay.Length == 0 ? [] : model.Parameters.Where(p => p.Shape.Rank < 2).Select(p => p.Name).Order(StringComparer.Ordinal),
            noDecay.Order(StringComparer.Ordinal));
        int accumulation = log[0]!["losses"]!.AsArray().Count;
        GivenBatches objective = new(Batches(folder), accumulation);
        using Trainer trainer = new(model, objective, Options(noDecay.Length > 0, log.Count));
        for (int step = 0; step < log.Count; step++)
        {
            StepReport report = trainer.Step();
            string at = $"{name}/{run} step {step}";
            Near((double)log[step]!["lr"]!, report.LearningRate, 1e-12, $"{at}: learning rate");
            for (int i = 0; i < accumulation; i++)
                Near((double)log[step]!["losses"]![i]!, objective.Means[^(accumulation - i)], 1e-4, $"{at}: loss {i}");
            if (log[step]!["grad_norm_before_clip"] is { } norm)
                Near((double)norm, report.GradientNorm, 1e-4, $"{at}: gradient norm");
        }
        Near((double)about["final_loss_on_batch_0"]!, trainer.Evaluate()!.Loss, 1e-4, $"{name}/{run}: final loss");
        using TensorsOf final = new(Path.Combine(folder, $"final.{run}.safetensors"));
        foreach (Parameter p in model.Parameters)
        {
            float[] expected = final.Floats(p.Name), actual = p.Value.ToArray();
            if (p.Name.EndsWith(".attn.c_attn.bias", StringComparison.Ordinal))
                ForgetKeyBias(expected, actual);
            PaddedBatch.Close(p.Name, expected, actual, 1e-3);
        }
    }

    // Softmax does not see the biases of keys: their gradient is rounding noise around zero, which Adam makes whole steps of.
    private static void ForgetKeyBias(params float[][] biases)
    {
        foreach (float[] bias in biases)
            Array.Clear(bias, bias.Length / 3, bias.Length / 3);
    }

    [SharedFact("golden", "training")]
    public void PendingListNamesOnlyWhatCannotRun()
    {
        foreach (string pending in PendingGoldens.Of("training").Keys.Where(k => k.StartsWith("trajectory:", StringComparison.Ordinal)))
        {
            string[] marked = [.. SharedFolder.GoldenCases("training").Where(n => n.StartsWith(Prefix, StringComparison.Ordinal) && Mark(n) == pending)];
            Assert.True(marked.Length > 0, $"{pending} is on the pending list, but there is no such case.");
            Assert.All(marked, n => Assert.Throws<InvalidDataException>(() => Checkpoint.ReadConfig(Folder(n))));
        }
    }

    private static string Folder(string name) => SharedFolder.Find("golden", "training", name)!;

    private static string Mark(string name) => $"trajectory:{(string)Checkpoint.ReadObject(Path.Combine(Folder(name), "config.json"))["model_type"]!}";

    private static JsonObject Expected(string name) => Checkpoint.ReadObject(Path.Combine(Folder(name), "expected.json"));

    private static List<MicroBatch> Batches(string folder)
    {
        using TensorsOf file = new(Path.Combine(folder, "batches.safetensors"));
        List<MicroBatch> batches = [];
        for (int i = 0; file.Has($"batch.{i}.input_ids"); i++)
            batches.Add(new PaddedBatch(file, $"batch.{i}.", Checkpoint.ReadObject(Path.Combine(folder, Checkpoint.ConfigFile))).Batch);
        return batches;
    }

    // What the file's "common" says in words.
    private static TrainingOptions Options(bool trainerStyle, int steps) => trainerStyle
        ? new TrainingOptions(steps, ClipNorm: 1) { Optimizer = new AdamW(5e-3, WeightDecay: 0.1f), Schedule = new CosineSchedule(4) }
        : new TrainingOptions(steps, ClipNorm: 0) { Optimizer = new AdamW(5e-3, WeightDecay: 0.01f, DecayMatricesOnly: false) };

    private static void Near(double expected, double actual, double relative, string what) =>
        Assert.True(Math.Abs(actual - expected) <= relative * Math.Abs(expected), $"{what} is {actual}, expected {expected}");
}
