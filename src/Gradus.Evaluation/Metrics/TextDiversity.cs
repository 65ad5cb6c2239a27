// Source: Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models", 2016 (distinct-n); Welleck et al., "Neural Text
// Generation with Unlikelihood Training", 2020 (sequence repetition); Zhu et al., "Texygen", 2018 (self-BLEU).

namespace Gradus.Evaluation.Metrics;

/// <summary>How varied texts are, without any reference.</summary>
public static class TextDiversity
{
    /// <summary>Different n-grams / n-grams of all texts together, from 0 to 1; larger is more varied. 0 where no text has n words.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="n">Words of an n-gram, 1 or more.</param>
    public static double Distinct(IEnumerable<string> texts, int n)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        HashSet<string> different = new(StringComparer.Ordinal);
        long all = 0;
        foreach (string text in texts)
        {
            foreach (string gram in Grams(text, n))
            {
                different.Add(gram);
                all++;
            }
        }
        return all == 0 ? 0 : (double)different.Count / all;
    }

    /// <summary>The part of a text's n-grams that came before in it, from 0 to 1: 1 − different / all. 0 where it has fewer than n words.</summary>
    /// <param name="text">The text.</param>
    /// <param name="n">Words of an n-gram, 1 or more.</param>
    public static double Repetition(string text, int n = 4)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        string[] grams = [.. Grams(text, n)];
        return grams.Length == 0 ? 0 : 1 - ((double)grams.Distinct(StringComparer.Ordinal).Count() / grams.Length);
    }

    /// <summary>The mean BLEU of each text against all others, in percent: 100 for equal texts; lower is more varied.</summary>
    /// <param name="texts">Two texts at least.</param>
    /// <exception cref="ArgumentException">There are fewer than two texts.</exception>
    public static double SelfBleu(IReadOnlyList<string> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (texts.Count < 2)
            throw new ArgumentException("Self-BLEU compares texts with each other; give two at least.", nameof(texts));
        Bleu bleu = new(effectiveOrder: true);
        return Enumerable.Range(0, texts.Count).AsParallel().AsOrdered().Select(i => bleu.Score(texts[i], [.. texts.Where((_, j) => j != i)])).ToArray().Average();
    }

    private static IEnumerable<string> Grams(string text, int n)
    {
        List<string> words = PythonText.Split(text);
        for (int i = 0; i + n <= words.Count; i++)
            yield return string.Join('\u001F', words.GetRange(i, n));
    }
}
