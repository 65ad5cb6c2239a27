using System.Text.Json.Nodes;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Goldens;
using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Training.Tests.Goldens;

/// <summary>A batch of a golden file, (rows, columns) with padding on the right, as the sequences that this library trains on.</summary>
internal sealed class PaddedBatch
{
    private readonly List<int> _kept = [];
    private readonly List<int> _firstLabels = [];
    private readonly int _columns;

    /// <summary>The batch as a model of a configuration reads it.</summary>
    public PaddedBatch(TensorsOf file, string prefix, JsonObject config)
    {
        if ((bool?)config["is_encoder_decoder"] == true)
        {
            PaddedPairs pairs = new(file, prefix);
            _kept.AddRange(pairs.KeptTargets);
            Batch = new MicroBatch(pairs.Batch((int)config["decoder_start_token_id"]!, (int)config["pad_token_id"]!), pairs.Targets);
            return;
        }
        Shape shape = file.ShapeOf($"{prefix}input_ids");
        int[] ids = file.Ints($"{prefix}input_ids"), labels = file.Ints($"{prefix}labels");
        int[] mask = file.Has($"{prefix}attention_mask") ? file.Ints($"{prefix}attention_mask") : [.. ids.Select(_ => 1)];
        int columns = _columns = shape[1];
        List<int> starts = [0], targets = [];
        for (int r = 0; r < shape[0]; r++)
        {
            _firstLabels.Add(labels[r * columns]);
            for (int c = 0; c < columns && mask[(r * columns) + c] == 1; c++)
            {
                _kept.Add((r * columns) + c);
                targets.Add(c + 1 < columns ? labels[(r * columns) + c + 1] : MicroBatch.Ignored);
            }
            Assert.Equal(mask.Skip(r * columns).Take(columns).Sum(), _kept.Count - starts[^1]);
            starts.Add(_kept.Count);
        }
        Batch = new MicroBatch(new TokenBatch([.. _kept.Select(i => ids[i])], [.. starts]), [.. targets]);
    }

    public MicroBatch Batch { get; }

    /// <summary>Rows before every sequence that a tensor of scores has: virtual tokens.</summary>
    public int VirtualTokens(TensorsOf file, string key) => _columns == 0 ? 0 : file.ShapeOf(key)[1] - _columns;

    /// <summary>The targets with those of virtual tokens before every sequence, of which the last one's is the first token, as PEFT has it.</summary>
    public int[] TargetsBehind(int virtualTokens)
    {
        List<int> targets = [];
        for (int s = 0; s < Batch.Tokens.Sequences; s++)
        {
            targets.AddRange(Enumerable.Repeat(MicroBatch.Ignored, virtualTokens - 1));
            targets.Add(_firstLabels[s]);
            targets.AddRange(Batch.Targets[Batch.Tokens.Starts[s]..Batch.Tokens.Starts[s + 1]]);
        }
        return [.. targets];
    }

    /// <summary>Compares (N, V) with the rows of a (rows, columns, V) tensor that are no padding.</summary>
    public void Compare(TensorsOf file, string key, float[] actual, double tolerance)
    {
        float[] expected = file.Floats(key);
        int width = file.ShapeOf(key)[-1], before = VirtualTokens(file, key);
        for (int k = 0; k < _kept.Count; k++)
        {
            for (int c = 0; c < width; c++)
            {
                int row = before == 0 ? _kept[k] : _kept[k] + (((_kept[k] / _columns) + 1) * before);
                double e = expected[(row * width) + c], a = actual[(k * width) + c];
                Assert.True(Math.Abs(a - e) <= tolerance, $"{key}: token {k}, column {c}: {a}, expected {e}");
            }
        }
    }

    public static void Close(string what, ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double absolute, double relative = 0)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(
                Math.Abs((double)actual[i] - expected[i]) <= absolute + (relative * Math.Abs(expected[i])),
                $"{what}[{i}]: {actual[i]}, expected {expected[i]}");
        }
    }
}

/// <summary>
/// Given batches in turn, where a step's loss is the mean of its batches' means, as a loop of transformers computes it; the trainer
/// itself divides by all targets together.
/// </summary>
/// <param name="batches">The batches.</param>
/// <param name="accumulation">Batches of a step.</param>
/// <param name="prompted">Where virtual tokens have targets too: the batch.</param>
/// <param name="virtualTokens">How many there are.</param>
internal sealed class GivenBatches(IReadOnlyList<MicroBatch> batches, int accumulation = 1, PaddedBatch? prompted = null, int virtualTokens = 0) : Objective<MicroBatch>(accumulation)
{
    /// <summary>The mean loss of every micro-batch so far.</summary>
    public List<double> Means { get; } = [];

    private long _targets;

    public override MicroBatch Batch(long step, int index)
    {
        MicroBatch chosen = batches[(int)(((step * BatchesPerStep) + index) % batches.Count)];
        _targets = (index == 0 ? 0 : _targets) + chosen.TargetCount;
        return chosen;
    }

    public override IEnumerable<TrainingBatch> Validation() => [batches[0]];

    public override IReadOnlyList<Tensor> Losses(LanguageModel model, MicroBatch batch, LossContext context)
    {
        Pass pass = context.Pass(batch.Tokens);
        Tensor sum = virtualTokens == 0
            ? ((GenerativeModel)model).Losses(pass, context.Workspace.From(batch.Targets)).Sum()
            : Prompted(model, pass, prompted!, virtualTokens).Scale(batch.TargetCount);
        if (!context.Training)
            return [sum];
        Means.Add((double)sum.Item() / batch.TargetCount);
        return [sum.Scale((float)((double)_targets / batch.TargetCount / BatchesPerStep))];
    }

    /// <summary>The mean loss where virtual tokens have targets too.</summary>
    public static Tensor Prompted(LanguageModel model, Pass pass, PaddedBatch batch, int virtualTokens)
    {
        pass.KeepsVirtualTokens = true;
        int[] targets = batch.TargetsBehind(virtualTokens);
        return ((GenerativeModel)model).Losses(pass, pass.Workspace.From(targets)).Sum().Scale(1f / targets.Count(t => t >= 0));
    }
}
