using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;

namespace Gradus.Tests.Goldens;

/// <summary>Encoder-decoder models against transformers: logits, both halves' hidden states, all attention maps, losses and all gradients.</summary>
public sealed class EncoderDecoderGoldens
{
    public static TheoryData<string, string> Cases() => ModelGoldens.Cases(kind => kind == "s2s");

    [SharedTheory("golden", "models")]
    [MemberData(nameof(Cases))]
    public void ComputesTheSameNumbers(string name, string device) => ModelGoldens.EachBatch<EncoderDecoderModel>(name, device, (model, folder, batch, about, io) =>
    {
        Assert.Equal((long)ModelGoldens.Meta(name)["n_params"]!, model.ParameterCount);
        new GoldenBatch(folder, batch, about, io).Check(model);
    });

    private sealed class GoldenBatch(string folder, string name, JsonObject about, TensorsOf io)
    {
        private readonly PaddedPairs _pairs = new(io, $"{name}.in.");

        public void Check(EncoderDecoderModel model)
        {
            TokenBatch batch = _pairs.Batch(model.StartToken, (int)Checkpoint.ReadObject(Path.Combine(folder, Checkpoint.ConfigFile))["pad_token_id"]!);
            model.SetTrainable(true);
            foreach (Parameter p in model.Parameters)
                p.ClearGradient();
            using Workspace step = model.Parts.Store.NewScratch();
            step.PoisonNewTensors = true;
            Capture target = new() { Attentions = true }, source = new() { Attentions = true };
            Pass pass = new(batch, step) { Observer = target };
            pass.Source!.Observer = source;
            Tensor logits = model.Logits(pass);
            double tolerance = ModelGoldens.Tolerance(about);
            ModelGoldens.Compare(io, $"{name}.out.logits", _pairs.KeptTargets, logits.ToArray(), tolerance);
            ModelGoldens.Compare(io, $"{name}.out.encoder_last_hidden_state", _pairs.KeptSources, pass.Source.Encoded!.ToArray(), tolerance);
            CompareHidden("decoder", target, _pairs.KeptTargets, tolerance);
            CompareHidden("encoder", source, _pairs.KeptSources, tolerance);
            CompareMaps("decoder_attentions", target.Maps, batch.Starts, _pairs.KeptTargets, batch.Starts, _pairs.KeptTargets);
            CompareMaps("encoder_attentions", source.Maps, batch.Source!.Starts, _pairs.KeptSources, batch.Source.Starts, _pairs.KeptSources);
            CompareMaps("cross_attentions", target.SourceMaps, batch.Starts, _pairs.KeptTargets, batch.Source.Starts, _pairs.KeptSources);
            foreach (bool recompute in new[] { false, true })
            {
                CheckLoss(model, batch, recompute);
                ModelGoldens.CheckGradients(model, folder, name, (double)about["grad_norm"]!);
                foreach (Parameter p in model.Parameters)
                    p.ClearGradient();
            }
        }

        private void CheckLoss(EncoderDecoderModel model, TokenBatch batch, bool recompute)
        {
            using Workspace step = model.Parts.Store.NewScratch();
            step.PoisonNewTensors = true;
            Tape tape = step.StartTape();
            Tensor losses = model.Losses(new Pass(batch, step) { Recompute = recompute }, step.From(_pairs.Targets));
            Tensor loss = losses.Sum().Scale(1f / _pairs.Targets.Count(t => t >= 0));
            ModelGoldens.CheckLoss(about, name, loss.Item());
            tape.Backward(loss);
        }

        private void CompareHidden(string half, Capture capture, IReadOnlyList<int> kept, double tolerance)
        {
            for (int i = 0; i < capture.HiddenStates.Count; i++)
                ModelGoldens.Compare(io, $"{name}.out.{half}_hidden_states.{i}", kept, capture.HiddenStates[i], tolerance);
            Assert.False(io.Has($"{name}.out.{half}_hidden_states.{capture.HiddenStates.Count}"));
        }

        // Expected (S, H, all queries, all keys), of which each sequence has its own. T5's scores are not scaled: where the reference itself
        // is off by more than the usual tolerance, its probabilities are too.
        private void CompareMaps(
            string kind, IReadOnlyDictionary<int, List<float[,,]>> maps, int[] queryStarts, IReadOnlyList<int> keptQueries, int[] keyStarts, IReadOnlyList<int> keptKeys)
        {
            double tolerance = Math.Max(1e-5, (double?)about["logits_f32_vs_f64_maxabs"] ?? 0);
            Assert.Contains(maps.Keys, layer => io.Has($"{name}.out.{kind}.{layer}"));
            foreach ((int layer, List<float[,,]> ofLayer) in maps)
            {
                string key = $"{name}.out.{kind}.{layer}";
                if (!io.Has(key))
                    continue;
                float[] expected = io.Floats(key);
                Shape shape = io.ShapeOf(key);
                for (int s = 0; s < ofLayer.Count; s++)
                {
                    int query = keptQueries[queryStarts[s]] % shape[2], firstKey = keptKeys[keyStarts[s]] % shape[3];
                    foreach ((int h, int i, int j) in Indices(ofLayer[s]))
                    {
                        double e = expected[(((((s * shape[1]) + h) * shape[2]) + query + i) * shape[3]) + firstKey + j];
                        Assert.True(Math.Abs(ofLayer[s][h, i, j] - e) <= tolerance, $"{key}: [{s},{h},{i},{j}] is {ofLayer[s][h, i, j]}, expected {e}");
                    }
                }
            }
        }

        private static IEnumerable<(int, int, int)> Indices(float[,,] map) =>
            from h in Enumerable.Range(0, map.GetLength(0))
            from i in Enumerable.Range(0, map.GetLength(1))
            from j in Enumerable.Range(0, map.GetLength(2))
            select (h, i, j);
    }
}
