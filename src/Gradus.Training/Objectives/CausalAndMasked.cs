// One decoder, two objectives: the next token, and masked tokens that are seen from both sides (Charpentier and Samuel, "GPT or BERT: why not
// both?", 2024). A masked token is predicted at the place before it, so that both have the same shift. Left out: a share of masks and of
// objectives that changes during the run.

using System.ComponentModel.DataAnnotations;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;

namespace Gradus.Training.Objectives;

/// <summary>A micro-batch of <see cref="CausalAndMasked"/>.</summary>
/// <param name="Batch">Tokens and the expected next token, where it counts.</param>
/// <param name="Masked">Whether tokens are masked and every token sees all others.</param>
public sealed record CausalOrMaskedBatch(MicroBatch Batch, bool Masked) : TrainingBatch
{
    /// <inheritdoc/>
    public override long TokenCount => Batch.TokenCount;

    /// <inheritdoc/>
    public override IReadOnlyList<double> Weights => Batch.Weights;
}

/// <summary>Predict the next token in some micro-batches and masked tokens in the others.</summary>
/// <param name="train">Training data with next tokens as targets.</param>
/// <param name="mask">Which tokens are masked.</param>
/// <param name="validation">Held-out data, or null; the loss on it is that of next tokens.</param>
/// <param name="maskedShare">The share of micro-batches with masked tokens, in [0, 1].</param>
/// <param name="accumulation">Micro-batches per step, ≥ 1.</param>
public sealed class CausalAndMasked(
    BatchSource train, TokenMask mask, BatchSource? validation = null, [Range(0.0, 1.0)] double maskedShare = 0.5, int accumulation = 1)
    : Objective<CausalOrMaskedBatch>(accumulation)
{
    /// <inheritdoc/>
    public override bool IsLikelihood => true;

    /// <inheritdoc/>
    public override double ValidationBytesPerTarget => validation?.BytesPerTarget ?? 0;

    /// <inheritdoc/>
    public override CausalOrMaskedBatch Batch(long step, int index)
    {
        long number = (step * BatchesPerStep) + index;
        MicroBatch batch = train[number];
        return Math.Floor((number + 1) * maskedShare) > Math.Floor(number * maskedShare)
            ? new CausalOrMaskedBatch(Masked(batch.Tokens, number), true)
            : new CausalOrMaskedBatch(batch, false);
    }

    /// <inheritdoc/>
    public override IEnumerable<TrainingBatch> Validation() => validation?.All().Select(b => new CausalOrMaskedBatch(b, false)) ?? [];

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Losses(LanguageModel model, CausalOrMaskedBatch batch, LossContext context)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(context);
        if (model is not DecoderModel decoder)
            throw new NotSupportedException("Next and masked tokens together are learned by a decoder.");
        Pass pass = context.Pass(batch.Batch.Tokens);
        pass.Bidirectional = batch.Masked;
        Tensor loss = decoder.Losses(pass, context.Workspace.From(batch.Batch.Targets)).Sum();
        if (batch.Batch.TargetCount > 0)
            context.Report(batch.Masked ? "loss/masked" : "loss/next", loss.Item(), batch.Batch.TargetCount);
        return [loss];
    }

    // The first token of a sequence has no place before it.
    private MicroBatch Masked(TokenBatch tokens, long index)
    {
        int[] ids = [.. tokens.Ids], targets = new int[ids.Length];
        Array.Fill(targets, MicroBatch.Ignored);
        for (int s = 0; s < tokens.Sequences; s++)
        {
            (int start, int end) = (tokens.Starts[s], tokens.Starts[s + 1]);
            if (end - start < 2)
                continue;
            int[] chosen = new int[end - start - 1];
            mask.Apply(ids.AsSpan(start + 1, chosen.Length), chosen, (index << 20) + s);
            chosen.CopyTo(targets, start);
        }
        return new MicroBatch(new TokenBatch(ids, tokens.Starts, tokens.Positions), targets);
    }
}
