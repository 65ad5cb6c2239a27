using System.Text.Json.Nodes;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;

namespace Gradus.Tests.Goldens;

/// <summary>XLNet against transformers: one stream and two, memories from segment to segment, padding on either side, losses and all gradients.</summary>
public sealed class XLNetGoldens
{
    public static TheoryData<string, string> Cases() => ModelGoldens.Cases(kind => kind is "xlnet");

    [SharedTheory("golden", "models")]
    [MemberData(nameof(Cases))]
    public void ComputesTheSameNumbers(string name, string device) =>
        ModelGoldens.EachBatch<TaskModel>(name, device, (model, folder, batch, about, io) => new GoldenBatch(folder, batch, about, io).Check(model));

    private sealed class GoldenBatch
    {
        private readonly string _folder;
        private readonly string _name;
        private readonly JsonObject _about;
        private readonly TensorsOf _io;
        private readonly PaddedTokens _tokens;
        private readonly double _tolerance;
        private readonly ReadingOrder? _order;

        // The rows of (B, P) that predict a token, in order; others are fillers.
        private readonly List<int> _predicted = [];

        public GoldenBatch(string folder, string name, JsonObject about, TensorsOf io)
        {
            (_folder, _name, _about, _io) = (folder, name, about, io);
            _tokens = new PaddedTokens(io, name);
            _tolerance = ModelGoldens.Tolerance(about);
            if (io.Has($"{name}.in.perm_mask"))
                _order = new ReadingOrder(HiddenPairs(), PredictedTokens());
        }

        private int Sequences => _tokens.Batch.Sequences;

        private int Columns => _io.ShapeOf($"{_name}.in.input_ids")[1];

        private IReadOnlyList<int> Rows => _order is null ? _tokens.Kept : _predicted;

        public void Check(TaskModel model)
        {
            XLNet body = Assert.IsType<XLNet>(model.Body);
            model.SetTrainable(true);
            using Workspace step = model.Parts.Store.NewScratch();
            step.PoisonNewTensors = true;
            Capture capture = new() { Attentions = true };
            Pass pass = new(_tokens.Batch, step) { Observer = capture };
            SegmentMemory memory = Memory();
            Tensor hidden = body.Hidden(pass, _order, memory);
            ModelGoldens.Compare(_io, $"{_name}.out.logits", Rows, model.Head.Scores(hidden, pass).ToArray(), _tolerance);
            for (int i = 0; i < capture.HiddenStates.Count; i++)
                ModelGoldens.Compare(_io, $"{_name}.out.hidden_states.{i}", _order is null || i % 2 == 0 ? _tokens.Kept : _predicted, capture.HiddenStates[i], _tolerance);
            foreach ((int layer, List<float[,,]> maps) in capture.Maps)
                CompareAttentions(layer, maps);
            CompareMemory(memory);
            CheckLoss(model, body, recompute: false);
            CheckLoss(model, body, recompute: true);
        }

        private void CheckLoss(TaskModel model, XLNet body, bool recompute)
        {
            foreach (Parameter p in model.Parameters)
                p.ClearGradient();
            using Workspace step = model.Parts.Store.NewScratch();
            step.PoisonNewTensors = true;
            Tape tape = step.StartTape();
            Pass pass = new(_tokens.Batch, step) { Recompute = recompute };
            int[] labels = _io.Ints($"{_name}.in.labels");
            Tensor hidden = body.Hidden(pass, _order, Memory());
            Tensor loss = model.Head.Losses(hidden, step.From([.. Rows.Select(r => labels[r])]), pass).Mean();
            ModelGoldens.CheckLoss(_about, _name, loss.Item());
            tape.Backward(loss);
            if (File.Exists(Path.Combine(_folder, $"grads.{_name}.safetensors")))
                ModelGoldens.CheckGradients(model, _folder, _name, (double)_about["grad_norm"]!);
        }

        // Kept tokens of a sequence, as columns of the padded batch.
        private int[] ColumnsOf(int s) => [.. _tokens.Kept.Skip(_tokens.Batch.Starts[s]).Take(_tokens.Batch.Starts[s + 1] - _tokens.Batch.Starts[s]).Select(k => k % Columns)];

        private bool[][,] HiddenPairs()
        {
            float[] mask = _io.Floats($"{_name}.in.perm_mask");
            bool[][,] all = new bool[Sequences][,];
            for (int s = 0; s < Sequences; s++)
            {
                int[] columns = ColumnsOf(s);
                all[s] = new bool[columns.Length, columns.Length];
                for (int i = 0; i < columns.Length; i++)
                {
                    for (int j = 0; j < columns.Length; j++)
                        all[s][i, j] = mask[(((s * Columns) + columns[i]) * Columns) + columns[j]] > 0;
                }
            }
            return all;
        }

        private int[][] PredictedTokens()
        {
            float[] mapping = _io.Floats($"{_name}.in.target_mapping");
            int rows = _io.ShapeOf($"{_name}.in.target_mapping")[1];
            List<int>[] all = [.. Enumerable.Range(0, Sequences).Select(_ => new List<int>())];
            for (int row = 0; row < Sequences * rows; row++)
            {
                int column = Array.IndexOf(mapping, 1f, row * Columns, Columns) - (row * Columns);
                if (column < 0)
                    continue;
                _predicted.Add(row);
                all[row / rows].Add(Array.IndexOf(ColumnsOf(row / rows), column));
            }
            return [.. all.Select(t => t.ToArray())];
        }

        // (M, B, H) with the length first.
        private SegmentMemory Memory()
        {
            if (!_io.Has($"{_name}.in.mems.0"))
                return new SegmentMemory();
            Shape shape = _io.ShapeOf($"{_name}.in.mems.0");
            List<float[]> layers = [];
            for (int i = 0; _io.Has($"{_name}.in.mems.{i}"); i++)
                layers.Add(BySequence($"{_name}.in.mems.{i}"));
            return new SegmentMemory(layers, [.. Enumerable.Range(0, shape[1] + 1).Select(s => s * shape[0])], shape[2]);
        }

        private float[] BySequence(string key)
        {
            Shape shape = _io.ShapeOf(key);
            float[] values = _io.Floats(key);
            return [.. from s in Enumerable.Range(0, shape[1]) from m in Enumerable.Range(0, shape[0]) from c in Enumerable.Range(0, shape[2]) select values[(((m * shape[1]) + s) * shape[2]) + c]];
        }

        private void CompareMemory(SegmentMemory memory)
        {
            for (int i = 0; _io.Has($"{_name}.out.mems.{i}"); i++)
            {
                float[] expected = BySequence($"{_name}.out.mems.{i}");
                Assert.Equal(expected.Length, memory.Layers[i].Length);
                for (int k = 0; k < expected.Length; k++)
                    Assert.Equal(expected[k], memory.Layers[i][k], _tolerance + (1e-5 * Math.Abs(expected[k])));
            }
        }

        private void CompareAttentions(int layer, List<float[,,]> maps)
        {
            for (int m = 0; m < maps.Count; m++)
            {
                int s = m % Sequences, stream = m / Sequences;
                string key = _order is null ? $"{_name}.out.attentions.{layer}" : $"{_name}.out.attentions.{layer}.{stream}";
                if (!_io.Has(key))
                    continue;
                float[] expected = _io.Floats(key);
                int heads = _io.ShapeOf(key)[1], keys = _io.ShapeOf(key)[3], memory = keys - Columns;
                int[] columns = ColumnsOf(s), queries = stream == 0 ? columns : [.. _order!.Predicted![s].Select(t => columns[t])];
                Assert.Equal(heads * queries.Length * (memory + columns.Length), maps[m].Length);
                for (int h = 0; h < heads; h++)
                {
                    for (int i = 0; i < queries.Length; i++)
                    {
                        for (int j = 0; j < memory + columns.Length; j++)
                        {
                            int column = j < memory ? j : memory + columns[j - memory];
                            double e = expected[(((((s * heads) + h) * Columns) + queries[i]) * keys) + column];
                            Assert.True(Math.Abs(maps[m][h, i, j] - e) <= 1e-5, $"{key}: [{s},{h},{i},{j}] is {maps[m][h, i, j]}, expected {e}");
                        }
                    }
                }
            }
        }
    }
}
