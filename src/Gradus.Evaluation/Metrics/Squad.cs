// Purpose: exact match and F1 of extractive question answering, equal to the official SQuAD 1.1 and 2.0 scripts.
// Source: Rajpurkar et al., 2016, https://arxiv.org/abs/1606.05250 and 2018, https://arxiv.org/abs/1806.03822; the scripts as in
// https://github.com/huggingface/evaluate (metrics squad and squad_v2).
// Left out: no-answer probabilities and the search for their best threshold.

using System.Globalization;
using System.Text;

namespace Gradus.Evaluation.Metrics;

/// <summary>SQuAD's exact match or word F1 after normalization, the best over the answers; from 0 to 1.</summary>
public sealed class Squad : MeanMetric
{
    private readonly bool f1;
    private readonly bool unanswerable;

    private Squad(string name, bool f1, bool unanswerable)
    {
        Name = name;
        this.f1 = f1;
        this.unanswerable = unanswerable;
    }

    /// <summary>Exact match after normalization, SQuAD 1.1.</summary>
    public static Squad ExactMatch { get; } = new("squad_em", f1: false, unanswerable: false);

    /// <summary>F1 over words after normalization, SQuAD 1.1.</summary>
    public static Squad F1 { get; } = new("squad_f1", f1: true, unanswerable: false);

    /// <summary>Exact match of SQuAD 2.0: an example without references is a question without an answer, and empty is right.</summary>
    public static Squad ExactMatchV2 { get; } = new("squad_v2_em", f1: false, unanswerable: true);

    /// <summary>F1 of SQuAD 2.0: an example without references is a question without an answer, and empty is right.</summary>
    public static Squad F1V2 { get; } = new("squad_v2_f1", f1: true, unanswerable: true);

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override double Best => 1;

    /// <summary>The text in lower case without ASCII punctuation, the words a, an and the, and extra white space.</summary>
    /// <param name="text">The text.</param>
    public static string Normalize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        StringBuilder kept = new(text.Length);
        List<int> word = [];
        foreach (int point in PythonText.CodePoints(PythonText.ToLower(text)))
        {
            if (point < 0x80 && (char.IsPunctuation((char)point) || char.IsSymbol((char)point)))
                continue;
            if (IsWordCharacter(point))
            {
                word.Add(point);
                continue;
            }
            EndWord();
            kept.AppendPoint(point);
        }
        EndWord();
        return string.Join(' ', PythonText.Split(kept.ToString()));

        void EndWord()
        {
            if (word is ['a'] or ['a', 'n'] or ['t', 'h', 'e'])
                kept.Append(' ');
            else
                word.ForEach(point => kept.AppendPoint(point));
            word.Clear();
        }
    }

    /// <inheritdoc/>
    protected override double ScoreOf(MetricExample example)
    {
        string prediction = Normalize(example.Prediction);
        List<string> answers = [.. example.References.Select(Normalize)];
        if (unanswerable)
        {
            // An answer of which nothing is left does not count; without any, the right answer is none.
            answers.RemoveAll(answer => answer.Length == 0);
            if (answers.Count == 0)
                answers.Add("");
        }
        else
        {
            RequireReference(example);
        }
        return answers.Max(answer => f1 ? WordF1(prediction, answer) : prediction == answer ? 1 : 0);
    }

    private double WordF1(string prediction, string answer)
    {
        NgramIndex index = new();
        int[] p = index.Tokens(PythonText.Split(prediction)), a = index.Tokens(PythonText.Split(answer));
        if (unanswerable && (p.Length == 0 || a.Length == 0))
            return p.Length == a.Length ? 1 : 0;
        return PrecisionRecallF.OfCounts(NgramIndex.Overlap(index.Counts(p, 1)[0], index.Counts(a, 1)[0]), p.Length, a.Length).F;
    }

    // Python's \w, without the underscore, which is punctuation and gone by then.
    private static bool IsWordCharacter(int point) => CharUnicodeInfo.GetUnicodeCategory(point)
        is <= UnicodeCategory.OtherLetter
        or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;
}
