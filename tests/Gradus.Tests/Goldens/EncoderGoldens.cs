using System.Text.Json.Nodes;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;

namespace Gradus.Tests.Goldens;

/// <summary>Encoders with their heads, and decoders as classifiers, against transformers: scores, hidden states, attention maps, losses and all gradients.</summary>
public sealed class EncoderGoldens
{
    public static TheoryData<string, string> Cases() =>
        ModelGoldens.Cases(kind => kind is "bert_pt" or "cls" or "cls_causal" or "mlm" or "multilabel" or "qa" or "reg" or "rtd" or "tokcls");

    [SharedTheory("golden", "models")]
    [MemberData(nameof(Cases))]
    public void ComputesTheSameNumbers(string name, string device) =>
        ModelGoldens.EachBatch<TaskModel>(name, device, (model, folder, batch, about, io) => new GoldenBatch(folder, batch, about, io).Check(model));

    private sealed class GoldenBatch(string folder, string name, JsonObject about, TensorsOf io)
    {
        private readonly PaddedTokens _tokens = new(io, name);
        private readonly double _tolerance = ModelGoldens.Tolerance(about);

        // The reference's answers may also begin and end in the padding, whose rows it computes.
        private readonly bool _lossCountsPadding = io.Has($"{name}.in.start_positions") && io.Ints($"{name}.in.attention_mask").Contains(0);

        public void Check(TaskModel model)
        {
            model.SetTrainable(true);
            using Workspace step = model.Parts.Store.NewScratch();
            step.PoisonNewTensors = true;
            Capture capture = new() { Attentions = true };
            Pass pass = new(_tokens.Batch, step) { Observer = capture };
            Tensor hidden = model.Body.Hidden(pass);
            for (int i = 0; i < model.Heads.Count; i++)
                CheckScores(ScoreKeys(model.Heads, i), model.Heads[i].Scores(hidden, pass));
            for (int i = 0; i < capture.HiddenStates.Count; i++)
                ModelGoldens.Compare(io, $"{name}.out.hidden_states.{i}", _tokens.Kept, capture.HiddenStates[i], _tolerance);
            foreach ((int layer, List<float[,,]> maps) in capture.Maps)
                _tokens.CompareAttentions($"{name}.out.attentions.{layer}", maps);
            foreach (bool recompute in (bool[])[false, true])
            {
                foreach (Parameter p in model.Parameters)
                    p.ClearGradient();
                CheckLoss(model, recompute);
                if (_lossCountsPadding)
                    continue;
                ModelGoldens.CheckGradients(model, folder, name, (double)about["grad_norm"]!);
            }
        }

        // Scores of tokens are compared where there is no padding, those of sequences everywhere.
        private void CheckScores(string[] keys, Tensor scores)
        {
            for (int i = 0; i < keys.Length; i++)
            {
                string key = $"{name}.out.{keys[i]}";
                Tensor part = keys.Length == 1 ? scores : scores.Columns(i, 1);
                bool ofTokens = scores.Shape[0] == _tokens.Kept.Count;
                ModelGoldens.Compare(io, key, ofTokens ? _tokens.Kept : [.. Enumerable.Range(0, scores.Shape[0])], part.ToArray(), _tolerance);
            }
        }

        private void CheckLoss(TaskModel model, bool recompute)
        {
            using Workspace step = model.Parts.Store.NewScratch();
            step.PoisonNewTensors = true;
            Tape tape = step.StartTape();
            Tensor loss = model.Loss(new Pass(_tokens.Batch, step) { Recompute = recompute }, [.. model.Heads.Select(h => Targets(h, step))]);
            if (_lossCountsPadding)
                Assert.Equal(SpanLoss(), loss.Item(), 1e-5 * SpanLoss());
            else
                ModelGoldens.CheckLoss(about, name, loss.Item());
            tape.Backward(loss);
        }

        // −log softmax of the reference's own scores, padding left out.
        private double SpanLoss()
        {
            double sum = 0;
            foreach (string side in (string[])["start", "end"])
            {
                float[] scores = io.Floats($"{name}.out.{side}_logits");
                int[] right = io.Ints($"{name}.in.{side}_positions");
                for (int s = 0; s < right.Length; s++)
                {
                    double[] own = [.. _tokens.Kept.Skip(_tokens.Batch.Starts[s]).Take(_tokens.Batch.Starts[s + 1] - _tokens.Batch.Starts[s]).Select(k => (double)scores[k])];
                    sum += Math.Log(own.Sum(Math.Exp)) - own[right[s]];
                }
            }
            return sum / (2 * _tokens.Batch.Sequences);
        }

        private static string[] ScoreKeys(IReadOnlyList<TaskHead> heads, int index) => (heads[index], heads.Count) switch
        {
            (SpanHead, _) => ["start_logits", "end_logits"],
            (_, 1) => ["logits"],
            (TokenHead, _) => ["prediction_logits"],
            _ => ["seq_relationship_logits"],
        };

        private Tensor Targets(TaskHead head, Workspace step)
        {
            string labels = $"{name}.in.{(head is SequenceHead && io.Has($"{name}.in.next_sentence_label") ? "next_sentence_label" : "labels")}";
            switch (head)
            {
                case TokenHead:
                    return step.From(_tokens.Keep(io.Ints(labels)));
                case DetectionHead:
                    int[] replaced = _tokens.Keep(io.Ints(labels));
                    return step.From([.. replaced.Select(r => (float)r)], new Shape(replaced.Length));
                case SpanHead:
                    int[] starts = io.Ints($"{name}.in.start_positions"), ends = io.Ints($"{name}.in.end_positions");
                    return step.From([.. starts.Zip(ends, (s, e) => new[] { s, e }).SelectMany(p => p)], new Shape(starts.Length, 2));
                case SequenceHead { Problem: ProblemType.SingleLabelClassification }:
                    return step.From(io.Ints(labels));
                default:
                    return step.From(io.Floats(labels), io.ShapeOf(labels));
            }
        }
    }
}
