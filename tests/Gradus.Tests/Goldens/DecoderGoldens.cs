using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;

namespace Gradus.Tests.Goldens;

/// <summary>Decoder-only models against transformers: logits, hidden states, attention maps, losses and all gradients.</summary>
public sealed class DecoderGoldens
{
    public static TheoryData<string, string> Cases() => ModelGoldens.Cases(kind => kind is "clm" or "moe");

    [SharedTheory("golden", "models")]
    [MemberData(nameof(Cases))]
    public void ComputesTheSameNumbers(string name, string device)
    {
        string folder = SharedFolder.Find("golden", "models", name)!;
        JsonObject meta = Checkpoint.ReadObject(Path.Combine(folder, "meta.json"));
        using DecoderModel model = Assert.IsAssignableFrom<DecoderModel>(Checkpoint.Load(folder, TestDevices.Get(device)));
        using TensorsOf io = new(Path.Combine(folder, "io.safetensors"));
        JsonObject batches = meta["batches"]!.AsObject();
        // A batch whose own rounding the reference does not give gets the largest of the case.
        double rounding = batches.Max(b => (double?)b.Value!["logits_f32_vs_f64_maxabs"] ?? 0);
        foreach ((string batch, JsonNode? about) in batches)
            new GoldenBatch(folder, batch, about!.AsObject(), io, (double?)about["logits_f32_vs_f64_maxabs"] ?? rounding).Check(model);
    }

    private sealed class GoldenBatch(string folder, string name, JsonObject about, TensorsOf io, double rounding)
    {
        private readonly int _rows = io.ShapeOf($"{name}.in.input_ids")[0];
        private readonly int _columns = io.ShapeOf($"{name}.in.input_ids")[1];
        private readonly int[] _ids = io.Ints($"{name}.in.input_ids");
        private readonly List<int> _kept = [];

        // With padding on the left the reference also counts the first token, predicted from a row of padding: nothing to compare.
        private bool _lossCountsPadding;

        public void Check(DecoderModel model)
        {
            (TokenBatch batch, int[] targets) = Unpad();
            model.SetTrainable(true);
            foreach (Parameter p in model.Parameters)
                p.ClearGradient();
            using Workspace step = model.Parts.Store.NewScratch();
            step.PoisonNewTensors = true;
            Capture capture = new() { Attentions = true };
            List<Tensor> router = [];
            Tensor logits = model.Logits(new Pass(batch, step) { Observer = capture, RouterLogits = router });
            double tolerance = Math.Max(5e-5, 5 * rounding);
            Compare($"{name}.out.logits", logits.ToArray(), tolerance);
            for (int i = 0; i < capture.HiddenStates.Count; i++)
                Compare($"{name}.out.hidden_states.{i}", capture.HiddenStates[i], tolerance);
            for (int i = 0; i < router.Count; i++)
                Compare($"{name}.out.router_logits.{i}", router[i].ToArray(), tolerance);
            CompareAttentions(capture, batch);
            if (about["loss"] is null || _lossCountsPadding)
                return;
            CheckLoss(model, batch, targets, recompute: false);
            if (File.Exists(Path.Combine(folder, $"grads.{name}.safetensors")))
            {
                ModelGoldens.CheckGradients(model, folder, name, (double)about["grad_norm"]!);
                foreach (Parameter p in model.Parameters)
                    p.ClearGradient();
                CheckLoss(model, batch, targets, recompute: true);
                ModelGoldens.CheckGradients(model, folder, name, (double)about["grad_norm"]!);
            }
        }

        private void CheckLoss(DecoderModel model, TokenBatch batch, int[] targets, bool recompute)
        {
            using Workspace step = model.Parts.Store.NewScratch();
            step.PoisonNewTensors = true;
            Tape tape = step.StartTape();
            List<Tensor> router = [];
            Tensor losses = model.Losses(new Pass(batch, step) { Recompute = recompute, RouterLogits = router }, step.From(targets));
            Tensor loss = losses.Sum().Scale(1f / targets.Count(t => t >= 0));
            if (about["aux_loss"] is not null)
            {
                CompareLoss("loss_without_aux", loss);
                Tensor auxiliary = model.LoadBalancing!.Loss(router);
                CompareLoss("aux_loss", auxiliary);
                loss = loss.Add(auxiliary.Scale(model.LoadBalancing.Coefficient));
            }
            CompareLoss("loss", loss);
            tape.Backward(loss);
        }

        private void CompareLoss(string key, Tensor loss)
        {
            double expected = (double)about[key]!;
            Assert.True(Math.Abs(loss.Item() - expected) <= 1e-5 * Math.Abs(expected), $"{name}: {key} {loss.Item()}, expected {expected}");
        }

        // The rows without padding, end to end; a token's target is its right neighbour's label.
        private (TokenBatch Batch, int[] Targets) Unpad()
        {
            int[]? mask = io.Has($"{name}.in.attention_mask") ? io.Ints($"{name}.in.attention_mask") : null;
            int[] labels = io.Ints($"{name}.in.labels");
            List<int> starts = [0], targets = [];
            for (int r = 0; r < _rows; r++)
            {
                for (int c = 0; c < _columns; c++)
                {
                    int i = (r * _columns) + c;
                    if (mask is not null && mask[i] == 0)
                    {
                        _lossCountsPadding |= c + 1 < _columns && mask[i + 1] == 1 && labels[i + 1] >= 0;
                        continue;
                    }
                    _kept.Add(i);
                    bool last = c + 1 == _columns || (mask is not null && mask[i + 1] == 0);
                    targets.Add(last ? -100 : labels[i + 1]);
                }
                starts.Add(_kept.Count);
            }
            return (new TokenBatch([.. _kept.Select(i => _ids[i])], [.. starts]), [.. targets]);
        }

        private void Compare(string key, float[] actual, double tolerance)
        {
            float[] expected = io.Floats(key);
            int width = io.ShapeOf(key)[-1];
            for (int k = 0; k < _kept.Count; k++)
            {
                for (int c = 0; c < width; c++)
                {
                    double e = expected[(_kept[k] * width) + c], a = actual[(k * width) + c];
                    Assert.True(Math.Abs(a - e) <= tolerance + (1e-5 * Math.Abs(e)), $"{key}: token {k}, column {c}: {a}, expected {e}");
                }
            }
        }

        private void CompareAttentions(Capture capture, TokenBatch batch)
        {
            foreach ((int layer, List<float[,,]> maps) in capture.Maps)
            {
                string key = $"{name}.out.attentions.{layer}";
                if (!io.Has(key))
                    continue;
                float[] expected = io.Floats(key);
                int heads = io.ShapeOf(key)[1];
                for (int s = 0; s < batch.Sequences; s++)
                {
                    int length = batch.Starts[s + 1] - batch.Starts[s], first = _kept[batch.Starts[s]] % _columns;
                    for (int h = 0; h < heads; h++)
                    {
                        for (int i = 0; i < length; i++)
                        {
                            for (int j = 0; j < length; j++)
                            {
                                double e = expected[(((((s * heads) + h) * _columns) + first + i) * _columns) + first + j];
                                Assert.True(Math.Abs(maps[s][h, i, j] - e) <= 1e-5, $"{key}: [{s},{h},{i},{j}] is {maps[s][h, i, j]}, expected {e}");
                            }
                        }
                    }
                }
            }
        }
    }
}
