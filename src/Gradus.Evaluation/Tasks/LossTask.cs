using Gradus.Evaluation.Metrics;
using Gradus.Evaluation.Statistics;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Evaluation.Tasks;

/// <summary>How well a model predicts text.</summary>
/// <param name="Nats">Sum of the losses, in nats.</param>
/// <param name="Tokens">Predicted tokens.</param>
/// <param name="Bytes">UTF-8 bytes of the text.</param>
/// <param name="Blocks">Nats and predicted tokens of every block.</param>
public sealed record LossResult(double Nats, long Tokens, long Bytes, IReadOnlyList<(double Nats, int Tokens)> Blocks)
{
    /// <summary>Nats per token.</summary>
    public double Loss => Nats / Math.Max(1, Tokens);

    /// <summary>e to the loss.</summary>
    public double Perplexity => LanguageModelLoss.Perplexity(Nats, Math.Max(1, Tokens));

    /// <summary>Bits per byte of text: comparable between tokenizers.</summary>
    public double BitsPerByte => LanguageModelLoss.BitsPerByte(Nats, Math.Max(1, Bytes));

    /// <summary>The result as a task's: loss, perplexity where it is finite, bits per byte. Standard errors are over blocks.</summary>
    /// <param name="task">The task's name.</param>
    public TaskResult ToResult(string task)
    {
        double? error = Blocks.Count < 2 ? null : Clustered.RatioError([.. Blocks.Select(b => b.Nats)], [.. Blocks.Select(b => (double)b.Tokens)]);
        List<MetricValue> metrics = [new("loss", EvalRunner.NoFilter, Loss, error, Blocks.Count, false, "")];
        if (double.IsFinite(Perplexity))
            metrics.Add(new("perplexity", EvalRunner.NoFilter, Perplexity, error * Perplexity, Blocks.Count, false, ""));
        metrics.Add(new("bits per byte", EvalRunner.NoFilter, BitsPerByte, error * Tokens / Math.Max(1, Bytes) / Math.Log(2), Blocks.Count, false, ""));
        return new TaskResult(task, "1", null, metrics, [], []);
    }
}

/// <summary>
/// Measures the loss of text as pre-training does: documents one after the other, each with the token that ends it, in blocks of equal length in
/// which every token but the first of all is predicted once.
/// </summary>
public static class LossTask
{
    private const int TokensAtOnce = 4096;

    /// <summary>Sums the losses.</summary>
    /// <param name="model">The model. One with an encoder reads the token before a block and writes the block.</param>
    /// <param name="tokens">The tokens of all documents; two at least.</param>
    /// <param name="bytes">UTF-8 bytes of all documents.</param>
    /// <param name="block">Predicted tokens of a block; 0 for the model's context.</param>
    /// <param name="precision">How matrix products round their operands.</param>
    /// <param name="cancellation">Ends the task.</param>
    /// <exception cref="InvalidDataException">There is nothing to predict, or the loss is not a number; one line.</exception>
    public static LossResult Run(
        GenerativeModel model, int[] tokens, long bytes, int block = 0, Precision precision = Precision.F32, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentOutOfRangeException.ThrowIfNegative(block);
        if (tokens.Length < 2)
            throw new InvalidDataException($"The text has {tokens.Length} tokens; there is nothing to predict.");
        block = block == 0 ? model.Config.ContextLength : Math.Min(block, model.Config.ContextLength);
        List<(double, int)> blocks = [];
        int atOnce = Math.Max(1, TokensAtOnce / block) * block;
        using Workspace workspace = model.Parts.Store.NewScratch(precision);
        double nats = 0;
        for (int start = 0; start < tokens.Length - 1; start += atOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            workspace.Reset();
            int count = Math.Min(atOnce, tokens.Length - 1 - start);
            ReadOnlySpan<float> losses = Losses(model, tokens.AsSpan(start, count + 1), block, workspace).Values();
            for (int b = 0; b < count; b += block)
            {
                double sum = 0;
                ReadOnlySpan<float> part = losses.Slice(b, Math.Min(block, count - b));
                foreach (float loss in part)
                    sum += loss;
                blocks.Add((sum, part.Length));
                nats += sum;
            }
        }
        return double.IsFinite(nats)
            ? new LossResult(nats, tokens.Length - 1, bytes, blocks)
            : throw new InvalidDataException($"the loss is {nats}: the model's weights are broken; go back to an earlier checkpoint.");
    }

    private static Tensor Losses(GenerativeModel model, ReadOnlySpan<int> tokens, int block, Workspace workspace) =>
        model.Losses(new Pass(Batch(model, tokens, block), workspace), workspace.From(tokens[1..]));

    /// <summary>Blocks of tokens as a model reads them: each token predicts the next one.</summary>
    /// <param name="model">The model. One with an encoder reads the token before a block.</param>
    /// <param name="tokens">The tokens; all but the last are read.</param>
    /// <param name="block">Predicted tokens of a block, ≥ 1.</param>
    public static TokenBatch Batch(GenerativeModel model, ReadOnlySpan<int> tokens, int block)
    {
        ArgumentNullException.ThrowIfNull(model);
        int count = tokens.Length - 1;
        List<int> starts = [];
        for (int b = 0; b < count; b += block)
            starts.Add(b);
        int[] ids = tokens[..^1].ToArray(), sources = [.. starts.Select(s => ids[s])];
        TokenBatch batch = new(ids, [.. starts, count]);
        if (model is EncoderDecoderModel encoded)
        {
            starts.ForEach(s => ids[s] = encoded.StartToken);
            batch = new TokenBatch(ids, batch.Starts) { Source = new TokenBatch(sources, [.. Enumerable.Range(0, sources.Length + 1)]) };
        }
        return batch;
    }
}
