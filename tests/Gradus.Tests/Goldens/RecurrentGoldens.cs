using System.Text.Json.Nodes;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;

namespace Gradus.Tests.Goldens;

/// <summary>LSTM and GRU language models against torch: logits, outputs, last states, losses, all gradients and those of the states to begin with.</summary>
public sealed class RecurrentGoldens
{
    public static TheoryData<string, string> Cases() => ModelGoldens.Cases(kind => kind == "rnn");

    [SharedTheory("golden", "models")]
    [MemberData(nameof(Cases))]
    public void ComputesTheSameNumbers(string name, string device) => ModelGoldens.EachBatch<RnnLm>(name, device, (model, folder, batch, about, io) =>
    {
        foreach (bool recompute in new[] { false, true })
            new GoldenBatch(folder, batch, about, io).Check(model, recompute);
    });

    private sealed class GoldenBatch(string folder, string name, JsonObject about, TensorsOf io)
    {
        public void Check(RnnLm model, bool recompute)
        {
            (TokenBatch batch, int[] targets, List<int> kept) = Unpad();
            double tolerance = ModelGoldens.Tolerance(about);
            model.SetTrainable(true);
            foreach (Parameter p in model.Parameters)
                p.ClearGradient();
            using Workspace step = model.Parts.Store.NewScratch();
            step.PoisonNewTensors = true;
            ModelGoldens.Compare(io, $"{name}.out.logits", kept, model.Logits(new Pass(batch, step) { Memory = State(model, step, batch.Sequences).State }).ToArray(), tolerance);
            step.Reset();
            Tape tape = step.StartTape();
            (RecurrentState state, List<Tensor> hidden, List<Tensor> memory) = State(model, step, batch.Sequences);
            Capture capture = new();
            Pass pass = new(batch, step) { Recompute = recompute, Memory = state, Observer = capture };
            Tensor loss = model.Losses(pass, step.From(targets)).Sum().Scale(1f / targets.Count(t => t >= 0));
            ModelGoldens.CheckLoss(about, name, loss.Item());
            ModelGoldens.Compare(io, $"{name}.out.rnn_output", kept, capture.HiddenStates[^1], tolerance);
            CompareStates("h_n", state.LastHidden, tolerance);
            CompareStates("c_n", state.LastMemory, tolerance);
            tape.Backward(loss);
            double norm = (double)about["grad_norm"]!;
            ModelGoldens.CheckGradients(model, folder, name, norm);
            CompareFirst("grad_h0", hidden, norm);
            CompareFirst("grad_c0", memory, norm);
        }

        private (RecurrentState State, List<Tensor> Hidden, List<Tensor> Memory) State(RnnLm model, Workspace step, int sequences)
        {
            List<Tensor> hidden = First(model, step, "h", sequences), memory = First(model, step, "c", sequences);
            return (new RecurrentState(hidden, memory.Count == 0 ? null : memory), hidden, memory);
        }

        // (layers, S, H): the given state, or zeros.
        private List<Tensor> First(RnnLm model, Workspace step, string state, int sequences)
        {
            RnnLmConfig config = (RnnLmConfig)model.Config;
            List<Tensor> layers = [];
            float[]? given = io.Has($"{name}.in.{state}0") ? io.Floats($"{name}.in.{state}0") : null;
            int size = sequences * config.HiddenSize;
            for (int layer = 0; layer < config.NumLayers && (state == "h" || config.Rnn == "lstm"); layer++)
            {
                layers.Add(step.From(given is null ? new float[size] : given.AsSpan(layer * size, size), new Shape(sequences, config.HiddenSize)));
                Tape.Watch(layers[^1]);
            }
            return layers;
        }

        private void CompareStates(string key, IReadOnlyList<float[]> layers, double tolerance)
        {
            Assert.Equal(io.Has($"{name}.out.{key}"), layers.Count > 0);
            if (layers.Count > 0)
                ModelGoldens.Compare(io, $"{name}.out.{key}", [.. Enumerable.Range(0, io.ShapeOf($"{name}.out.{key}")[0] * io.ShapeOf($"{name}.out.{key}")[1])], [.. layers.SelectMany(l => l)], tolerance);
        }

        private void CompareFirst(string key, List<Tensor> layers, double norm)
        {
            if (io.Has($"{name}.out.{key}"))
                ModelGoldens.CompareGradient($"{name}: {key}", io.Floats($"{name}.out.{key}"), [.. layers.SelectMany(l => l.Gradient!.ToArray())], norm);
        }

        // A token's target is its right neighbour's label.
        private (TokenBatch Batch, int[] Targets, List<int> Kept) Unpad()
        {
            Shape shape = io.ShapeOf($"{name}.in.input_ids");
            int[] ids = io.Ints($"{name}.in.input_ids"), labels = io.Ints($"{name}.in.labels");
            int[] lengths = io.Has($"{name}.in.lengths") ? io.Ints($"{name}.in.lengths") : [.. Enumerable.Repeat(shape[1], shape[0])];
            List<int> kept = [], starts = [0], targets = [];
            for (int r = 0; r < shape[0]; r++)
            {
                for (int c = 0; c < lengths[r]; c++)
                {
                    kept.Add((r * shape[1]) + c);
                    targets.Add(c + 1 < lengths[r] ? labels[(r * shape[1]) + c + 1] : -100);
                }
                starts.Add(kept.Count);
            }
            return (new TokenBatch([.. kept.Select(i => ids[i])], [.. starts]), [.. targets], kept);
        }
    }
}
