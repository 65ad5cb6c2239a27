namespace Gradus.Training.Data;

/// <summary>Parts the end of the data from what is trained on: the last examples or documents, or the end of a single document.</summary>
public static class HoldOut
{
    /// <summary>How many of a list are kept to train on; the others, from the end, are held out. At least one is on either side.</summary>
    /// <param name="count">How many there are.</param>
    /// <param name="fraction">The share held out, in [0, 1).</param>
    public static int Kept(int count, double fraction) =>
        fraction <= 0 || count < 2 ? count : Math.Clamp((int)(count * (1 - fraction)), 1, count - 1);

    /// <summary>The documents, or, where there is only one, its two parts, cut between characters.</summary>
    /// <param name="documents">The documents; read as they are asked for.</param>
    /// <param name="fraction">The share held out, in [0, 1).</param>
    public static IEnumerable<string> Parted(IEnumerable<string> documents, double fraction)
    {
        ArgumentNullException.ThrowIfNull(documents);
        string? first = null;
        bool several = false;
        foreach (string document in documents)
        {
            if (first is null)
            {
                first = document;
                continue;
            }
            if (!several)
                yield return first;
            several = true;
            yield return document;
        }
        if (several || first is null)
            yield break;
        int at = fraction <= 0 ? first.Length : Cut(first, fraction);
        yield return first[..at];
        if (at < first.Length)
            yield return first[at..];
    }

    // A pair of surrogates is not torn apart.
    private static int Cut(string text, double fraction)
    {
        int at = (int)(text.Length * (1 - fraction));
        return at > 0 && at < text.Length && char.IsLowSurrogate(text[at]) ? at - 1 : at;
    }
}
