using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;
using Gradus.Tests.Goldens;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests.Goldens;

/// <summary>Adapters against PEFT: logits, merged weights, gradients and ten training steps.</summary>
public sealed class PeftGoldens
{
    public static TheoryData<string, string> Cases()
    {
        TheoryData<string, string> cases = [];
        foreach (string name in SharedFolder.GoldenCases("peft"))
        {
            if (IsBase(name) || PendingGoldens.Of("peft").ContainsKey(Mark(name)))
                continue;
            foreach (string device in TestDevices.Names)
                cases.Add(name, device);
        }
        return cases;
    }

    [SharedTheory("golden", "peft")]
    [MemberData(nameof(Cases))]
    public void ComputesTheSameNumbers(string name, string device) => new Case(name, device).CheckForward();

    [SharedTheory("golden", "peft")]
    [MemberData(nameof(Cases))]
    public void TrainsTheSame(string name, string device) => new Case(name, device).CheckTraining();

    [SharedFact("golden", "peft")]
    public void PendingListNamesOnlyWhatCannotRun()
    {
        string[] names = [.. SharedFolder.GoldenCases("peft").Where(n => !IsBase(n))];
        foreach (string pending in PendingGoldens.Of("peft").Keys)
        {
            // Another folder of goldens may lack a case that is pending here.
            string[] marked = [.. names.Where(n => Mark(n) == pending)];
            Assert.False(marked.Length > 0 && marked.All(CanRun), $"{pending} is on the pending list, but the code can run it.");
        }
    }

    [SharedFact("golden", "peft")]
    public void DrawsSharedMatricesAsPyTorchDoes()
    {
        foreach (string name in SharedFolder.GoldenCases("peft").Where(n => Mark(n).StartsWith("VERA/", StringComparison.Ordinal)))
        {
            using LanguageModel model = Checkpoint.Load(BaseOf(name), ReferenceDevice.Instance);
            using ModelAdapter drawn = ModelAdapter.Attach(model, PeftFolder.ReadConfig(Folder(name)), 1);
            using TensorsOf file = new(Path.Combine(Folder(name), PeftFolder.WeightsFile));
            foreach (string key in file.Names.Where(n => n.StartsWith("base_model.vera_", StringComparison.Ordinal)))
                PaddedBatch.Close(key, file.Floats(key), drawn.Tensors[key].ToArray(), 1e-7);
        }
    }

    private static string Folder(string name) => SharedFolder.Find("golden", "peft", name)!;

    // Base models, and tensors of merging.
    private static bool IsBase(string name) => !File.Exists(Path.Combine(Folder(name), "expected.json"));

    // The method and the type of the base model; the folder's name where there is no adapter in it.
    private static string Mark(string name)
    {
        if (!File.Exists(Path.Combine(Folder(name), PeftFolder.ConfigFile)))
            return name;
        JsonObject config = Checkpoint.ReadObject(Path.Combine(Folder(name), PeftFolder.ConfigFile));
        return $"{(string?)config["peft_type"] ?? "BOTTLENECK"}/{(string)BaseConfig(name)["model_type"]!}";
    }

    private static string BaseOf(string name) =>
        Folder((string)Checkpoint.ReadObject(Path.Combine(Folder(name), "expected.json"))["base"]!);

    private static JsonObject BaseConfig(string name) => Checkpoint.ReadObject(Path.Combine(BaseOf(name), "config.json"));

    // Whether the code gives the case's numbers.
    private static bool CanRun(string name)
    {
        try
        {
            new Case(name, "reference").CheckForward();
            return true;
        }
        catch (Exception e) when (e is InvalidDataException or Xunit.Sdk.XunitException)
        {
            return false;
        }
    }

    private sealed class Case(string name, string device)
    {
        private readonly JsonObject _expected = Checkpoint.ReadObject(Path.Combine(Folder(name), "expected.json"));

        private double? _tolerance;

        // Sharp attention magnifies rounding (T5's scores are not scaled): logits are held to what equal models differ by, whose weights
        // are those of the file but for the last bits. The golden's own tolerance is 1e-4.
        private double LogitTolerance => _tolerance ??= Math.Max(1e-4, 2 * Sensitivity());

        private double Sensitivity()
        {
            using TensorsOf io = new(Path.Combine(Folder(name), "io.safetensors"));
            PaddedBatch batch = new(io, "in.", BaseConfig(name));
            double largest = 0;
            foreach (bool adapted in new[] { false, true })
            {
                float[][] logits = [.. Enumerable.Range(0, 4).Select(seed =>
                {
                    using GenerativeModel model = Load();
                    using ModelAdapter? adapter = adapted ? PeftFolder.Load(Folder(name), model) : null;
                    foreach (Parameter parameter in model.Parameters.Concat(adapter?.Parameters ?? []))
                        Nudge(parameter, seed);
                    return Logits(model, batch);
                })];
                largest = Math.Max(largest, logits.Max(l => Distance(l, logits[0])));
            }
            return largest;
        }

        public void CheckForward()
        {
            using TensorsOf io = new(Path.Combine(Folder(name), "io.safetensors"));
            PaddedBatch batch = new(io, "in.", BaseConfig(name));
            using GenerativeModel model = Load();
            batch.Compare(io, "out.base_logits", Logits(model, batch), LogitTolerance);
            using (ModelAdapter stored = PeftFolder.Load(Folder(name), model))
                batch.Compare(io, "out.logits", Logits(model, batch), LogitTolerance);
            using ModelAdapter adapter = LoadToTrain(model);
            Assert.Equal((long)_expected["trainable"]!, adapter.ParameterCount);
            batch.Compare(io, "out.logits", Logits(model, batch), LogitTolerance);
            CheckGradients(model, adapter, batch, batch.VirtualTokens(io, "out.logits"));
            adapter.Detach();
            batch.Compare(io, "out.base_logits", Logits(model, batch), LogitTolerance);
            Assert.Equal(File.Exists(Path.Combine(Folder(name), "merged.safetensors")), adapter.CanMerge);
            if (!adapter.CanMerge)
                return;
            using ModelAdapter again = PeftFolder.Load(Folder(name), model);
            again.Merge();
            CheckMerged(model);
            batch.Compare(io, "out.merged_logits", Logits(model, batch), LogitTolerance);
        }

        // Ten steps of Adam can magnify one rounding by thousands (the loss of llama_lora_all goes up on the way). Where a run misses
        // the golden's tolerance, runs from starts that differ in the last bits say how far apart equal runs come to lie; the golden
        // has to lie within a few times that, since other orders of sums round in every step.
        public void CheckTraining()
        {
            using TensorsOf after = new(Path.Combine(Folder(name), "after_10_steps.safetensors"));
            double[] losses = [.. _expected["training"]!["losses"]!.AsArray().Select(l => (double)l!)];
            Run run = Train(nudge: 0);
            Assert.Equal(after.Names.Select(FileName).Order(StringComparer.Ordinal), run.Weights.Keys.Order(StringComparer.Ordinal));
            Dictionary<string, float[]> weights = after.Names.ToDictionary(FileName, after.Floats);
            if (run.Losses.Zip(losses).All(l => Math.Abs(l.First - l.Second) <= 1e-4 * l.Second) && run.Weights.All(w => Distance(w.Value, weights[w.Key]) <= 2e-4))
                return;
            double sharpness = LogitTolerance / 1e-4;
            Run[] nudged = [run, .. Enumerable.Range(1, 6).Select(Train)];
            for (int i = 0; i < losses.Length; i++)
            {
                double allowed = Math.Max(1e-4 * sharpness * losses[i], 4 * (nudged.Max(r => r.Losses[i]) - nudged.Min(r => r.Losses[i])));
                Assert.True(Math.Abs(run.Losses[i] - losses[i]) <= allowed, $"{name}: loss {i} is {run.Losses[i]}, expected {losses[i]} within {allowed}");
            }
            foreach ((string key, float[] expected) in weights)
            {
                double spread = nudged.Max(a => nudged.Max(b => Distance(a.Weights[key], b.Weights[key])));
                PaddedBatch.Close(key, expected, run.Weights[key], Math.Max(2e-4 * sharpness, 4 * spread));
            }
            // However far equal runs part, they have gone the same way: the golden lies nearer to the run's end than the start does.
            Assert.True(
                weights.Sum(w => Squares(w.Value, run.Weights[w.Key])) < 0.5 * weights.Sum(w => Squares(w.Value, run.Start[w.Key])),
                $"{name}: after ten steps the weights lie elsewhere than the golden's");
        }

        private static double Squares(float[] a, float[] b) => a.Zip(b).Sum(p => Math.Pow((double)p.First - p.Second, 2));

        private static double Distance(float[] a, float[] b) => a.Zip(b).Max(p => Math.Abs((double)p.First - p.Second));

        private Run Train(int nudge)
        {
            JsonObject about = _expected["training"]!.AsObject();
            using TensorsOf io = new(Path.Combine(Folder(name), "io.safetensors"));
            using GenerativeModel model = Load();
            using ModelAdapter adapter = LoadToTrain(model);
            foreach (Parameter p in model.Parameters.Concat(adapter.Parameters))
                Nudge(p, nudge);
            Dictionary<string, float[]> start = Trained(adapter);
            Assert.Equal("AdamW", (string)about["optimizer"]!);
            AdamW optimizer = new(
                (double)about["lr"]!, (float)about["betas"]![0]!, (float)about["betas"]![1]!, (float)about["eps"]!, (float)about["weight_decay"]!, DecayMatricesOnly: false);
            int steps = (int)about["steps"]!;
            PaddedBatch batch = new(io, "in.", BaseConfig(name));
            using Trainer trainer = new(model, new GivenBatches([batch.Batch], prompted: batch, virtualTokens: batch.VirtualTokens(io, "out.logits")), new TrainingOptions(steps, ClipNorm: 0) { Optimizer = optimizer });
            List<double> losses = [];
            for (int i = 0; i < steps; i++)
                losses.Add(trainer.Step().Loss);
            losses.Add(trainer.Evaluate()!.Loss);
            return new Run(losses, start, Trained(adapter));
        }

        private static Dictionary<string, float[]> Trained(ModelAdapter adapter) => adapter.Parameters.ToDictionary(p => p.Name, p => p.Value.ToArray());

        // What PEFT does not store of a prefix lies in a file of its own.
        private ModelAdapter LoadToTrain(LanguageModel model)
        {
            string training = Path.Combine(Folder(name), "trainable_before.safetensors");
            if (!File.Exists(training))
                return PeftFolder.Load(Folder(name), model);
            DirectoryInfo copy = Directory.CreateTempSubdirectory("gradus-peft-");
            try
            {
                foreach (string file in new[] { PeftFolder.ConfigFile, PeftFolder.WeightsFile })
                    File.Copy(Path.Combine(Folder(name), file), Path.Combine(copy.FullName, file));
                File.Copy(training, Path.Combine(copy.FullName, PeftFolder.TrainingFile));
                return PeftFolder.Load(copy.FullName, model);
            }
            finally
            {
                copy.Delete(recursive: true);
            }
        }

        // A few units in the last place: about what the sums of a layer round away.
        private const float Rounding = 5e-7f;

        private static void Nudge(Parameter parameter, int seed)
        {
            Span<float> values = parameter.Value.Span();
            ulong key = CounterRandom.Derive((ulong)seed, parameter.Name);
            for (int i = 0; seed > 0 && i < values.Length; i++)
                values[i] *= CounterRandom.Bits(key, i) % 2 == 0 ? 1 - Rounding : 1 + Rounding;
            parameter.MarkChanged();
        }

        private GenerativeModel Load() =>
            Assert.IsAssignableFrom<GenerativeModel>(Checkpoint.Load(BaseOf(name), TestDevices.Get(device)));

        private static float[] Logits(GenerativeModel model, PaddedBatch batch)
        {
            using Workspace step = model.Parts.Store.NewScratch();
            return model.Logits(new Pass(batch.Batch.Tokens, step)).ToArray();
        }

        private void CheckGradients(GenerativeModel model, ModelAdapter adapter, PaddedBatch batch, int virtualTokens)
        {
            foreach (bool recompute in new[] { false, true })
            {
                foreach (Parameter p in adapter.Parameters)
                    p.ClearGradient();
                using Workspace step = model.Parts.Store.NewScratch();
                Tape tape = step.StartTape();
                Pass pass = new(batch.Batch.Tokens, step) { Recompute = recompute };
                Tensor loss = virtualTokens == 0
                    ? model.Losses(pass, step.From(batch.Batch.Targets)).Sum().Scale(1f / batch.Batch.TargetCount)
                    : GivenBatches.Prompted(model, pass, batch, virtualTokens);
                Near((double)_expected["loss"]!, loss.Item(), "loss");
                tape.Backward(loss);
                CompareGradients(adapter);
            }
            Assert.All(model.Parameters, p => Assert.Null(p.Gradient));
        }

        private void CompareGradients(ModelAdapter adapter)
        {
            using TensorsOf grads = new(Path.Combine(Folder(name), "grads.safetensors"));
            Dictionary<string, Parameter> byName = adapter.Parameters.ToDictionary(p => p.Name);
            Assert.Equal(grads.Names.Select(FileName).Order(StringComparer.Ordinal), byName.Keys.Order(StringComparer.Ordinal));
            foreach (string key in grads.Names)
            {
                float[] expected = grads.Floats(key);
                double largest = expected.Max(MathF.Abs);
                PaddedBatch.Close($"gradient of {key}", expected, byName[FileName(key)].Gradient!.Span(), 1e-6 + (2 * LogitTolerance * largest));
            }
        }

        private void CheckMerged(GenerativeModel model)
        {
            using TensorsOf merged = new(Path.Combine(Folder(name), "merged.safetensors"));
            using TensorsOf before = new(BaseOf(name));
            foreach (Parameter p in model.Parameters)
            {
                bool changed = merged.Has(p.Name);
                PaddedBatch.Close(p.Name, (changed ? merged : before).Floats(p.Name), p.Value.Span(), changed ? 1e-5 : 0);
            }
            Assert.All(merged.Names, n => Assert.NotNull(model.Parts.Find(n)));
        }

        // The wrapped model calls some parameters otherwise than the file.
        private static string FileName(string key) => key
            .Replace(".modules_to_save.", ".", StringComparison.Ordinal)
            .Replace(".lora_magnitude_vector.weight", ".lora_magnitude_vector", StringComparison.Ordinal);

        private void Near(double expected, double actual, string what) =>
            Assert.True(Math.Abs(actual - expected) <= 1e-4 * Math.Abs(expected), $"{name}: {what} is {actual}, expected {expected}");
    }

    private sealed record Run(IReadOnlyList<double> Losses, Dictionary<string, float[]> Start, Dictionary<string, float[]> Weights);
}
