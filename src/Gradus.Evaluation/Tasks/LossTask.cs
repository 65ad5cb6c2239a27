using Gradus.Evaluation.Metrics;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Evaluation.Tasks;

/// <summary>How well a model predicts text.</summary>
/// <param name="Nats">Sum of the losses, in nats.</param>
/// <param name="Tokens">Predicted tokens.</param>
/// <param name="Bytes">UTF-8 bytes of the text.</param>
public sealed record LossResult(double Nats, long Tokens, long Bytes)
{
    /// <summary>Nats per token.</summary>
    public double Loss => Nats / Math.Max(1, Tokens);

    /// <summary>e to the loss.</summary>
    public double Perplexity => LanguageModelLoss.Perplexity(Nats, Math.Max(1, Tokens));

    /// <summary>Bits per byte of text: comparable between tokenizers.</summary>
    public double BitsPerByte => LanguageModelLoss.BitsPerByte(Nats, Math.Max(1, Bytes));
}

/// <summary>Measures the loss of documents, each cut into pieces of the model's context.</summary>
public static class LossTask
{
    /// <summary>Sums the losses of all tokens but the first of each piece.</summary>
    /// <param name="model">The model.</param>
    /// <param name="documents">Tokens of each document.</param>
    /// <param name="bytes">UTF-8 bytes of all documents.</param>
    /// <param name="precision">How matrix products round their operands.</param>
    /// <param name="cancellation">Ends the task.</param>
    public static LossResult Run(
        GenerativeModel model, IReadOnlyList<int[]> documents, long bytes, Precision precision = Precision.F32, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(documents);
        double nats = 0;
        long tokens = 0;
        using Workspace workspace = model.Parts.Store.NewScratch(precision);
        foreach (int[] document in documents)
        {
            for (int start = 0; start + 1 < document.Length; start += model.Config.ContextLength)
            {
                cancellation.ThrowIfCancellationRequested();
                int[] ids = document[start..Math.Min(document.Length, start + model.Config.ContextLength + 1)];
                workspace.Reset();
                nats += model.Losses(new Pass(new TokenBatch(ids[..^1]), workspace), workspace.From(ids.AsSpan(1))).Sum().Item();
                tokens += ids.Length - 1;
            }
        }
        return new LossResult(nats, tokens, bytes);
    }
}
