using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Compression.Distillation;

/// <summary>What a teacher scores the next tokens of one micro-batch with.</summary>
internal abstract class TeacherScores
{
    /// <summary>Logits, (rows, V).</summary>
    /// <param name="rows">Tokens of the micro-batch.</param>
    public abstract float[] Logits(ReadOnlySpan<int> rows);
}

/// <summary>The scores of a teacher that has just run.</summary>
/// <param name="teacher">The teacher.</param>
/// <param name="pass">Its pass.</param>
/// <param name="hidden">Its hidden states, (N, C); they stay as long as this is used.</param>
internal sealed class OnlineScores(GenerativeModel teacher, Pass pass, Tensor hidden) : TeacherScores
{
    /// <summary>The hidden states.</summary>
    public Tensor Hidden => hidden;

    /// <inheritdoc/>
    public override float[] Logits(ReadOnlySpan<int> rows)
    {
        using Workspace inner = hidden.Workspace.OpenChild();
        return teacher.Logits(RowsOf(inner, hidden, rows), pass).ToArray();
    }

    /// <summary>Some rows, as values of their own: what is recorded for them stays in the workspace.</summary>
    public static Tensor RowsOf(Workspace inner, Tensor all, ReadOnlySpan<int> rows)
    {
        int width = all.Shape.Columns;
        float[] values = new float[rows.Length * width];
        for (int i = 0; i < rows.Length; i++)
            all.Values().Slice(rows[i] * width, width).CopyTo(values.AsSpan(i * width, width));
        return inner.From(values, new Shape(rows.Length, width));
    }
}

/// <summary>Scores from a store: the most probable tokens as they were, and what is left to them shared equally by all others.</summary>
/// <param name="tokens">For each token of the micro-batch, the most probable next ones.</param>
/// <param name="scores">Their log-probabilities.</param>
/// <param name="kept">How many there are for each.</param>
/// <param name="vocabulary">V.</param>
internal sealed class StoredScores(int[] tokens, Half[] scores, int kept, int vocabulary) : TeacherScores
{
    /// <inheritdoc/>
    public override float[] Logits(ReadOnlySpan<int> rows)
    {
        float[] logits = new float[rows.Length * vocabulary];
        for (int r = 0; r < rows.Length; r++)
        {
            ReadOnlySpan<int> top = tokens.AsSpan(rows[r] * kept, kept);
            ReadOnlySpan<Half> of = scores.AsSpan(rows[r] * kept, kept);
            Span<float> row = logits.AsSpan(r * vocabulary, vocabulary);
            double mass = 0;
            foreach (Half score in of)
                mass += Math.Exp((double)score);
            row.Fill((float)Math.Log(Math.Max(1 - mass, 1e-9) / Math.Max(1, vocabulary - kept)));
            for (int i = 0; i < kept; i++)
                row[top[i]] = (float)of[i];
        }
        return logits;
    }
}
