using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>How the hidden states of a sequence become one vector.</summary>
public enum Pooling
{
    /// <summary>The mean over the sequence's tokens (Reimers and Gurevych, "Sentence-BERT", 2019).</summary>
    Mean,

    /// <summary>The first token's: BERT's [CLS].</summary>
    First,

    /// <summary>The last token's: the only one that has seen everything in a causal model.</summary>
    Last,
}

/// <summary>Sequences as single vectors.</summary>
public static class SequencePooling
{
    /// <summary>(N, C) → (S, C): one row for each sequence of the pass.</summary>
    /// <param name="hidden">A row for every token.</param>
    /// <param name="pass">The pass over the tokens.</param>
    /// <param name="pooling">Which rows, or their mean.</param>
    /// <exception cref="ArgumentException">A sequence has no tokens.</exception>
    public static Tensor Pool(this Tensor hidden, Pass pass, Pooling pooling)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        ArgumentNullException.ThrowIfNull(pass);
        AttentionLayout layout = pass.Layout;
        for (int s = 0; s < layout.Sequences; s++)
        {
            if (layout.QueryCount(s) == 0)
                throw new ArgumentException($"Sequence {s} has no tokens to pool; leave it out.", nameof(pass));
        }
        return pooling switch
        {
            Pooling.Mean => MeanWeights(layout, pass.Workspace).MatMul(hidden),
            Pooling.First => hidden.Gather(Rows(pass, layout.QueryStart)),
            Pooling.Last => hidden.Gather(Rows(pass, s => layout.QueryStart(s + 1) - 1)),
            _ => throw new ArgumentOutOfRangeException(nameof(pooling), pooling, null),
        };
    }

    private static Tensor Rows(Pass pass, Func<int, int> row) => pass.Workspace.From([.. Enumerable.Range(0, pass.Layout.Sequences).Select(row)]);

    // (S, N): 1/length where the token is the sequence's, so that a product takes the means. The zeros cost far less than the model.
    private static Tensor MeanWeights(AttentionLayout layout, Workspace workspace)
    {
        Tensor weights = workspace.Zeros(new Shape(layout.Sequences, layout.TotalQueries));
        for (int s = 0; s < layout.Sequences; s++)
            weights.Span().Slice(checked((int)(((long)s * layout.TotalQueries) + layout.QueryStart(s))), layout.QueryCount(s)).Fill(1f / layout.QueryCount(s));
        return weights;
    }
}
