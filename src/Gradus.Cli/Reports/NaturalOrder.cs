namespace Gradus.Cli.Reports;

/// <summary>Orders names by their characters, but runs of digits by their value: "2-pretrain" before "10-chat".</summary>
internal sealed class NaturalOrder : IComparer<string>
{
    public static readonly NaturalOrder Instance = new();

    public int Compare(string? x, string? y)
    {
        ReadOnlySpan<char> a = x, b = y;
        while (a.Length > 0 && b.Length > 0)
        {
            ReadOnlySpan<char> digitsA = Digits(a), digitsB = Digits(b);
            bool numbers = digitsA.Length > 0 && digitsB.Length > 0;
            int order = numbers ? CompareNumbers(digitsA, digitsB) : a[0].CompareTo(b[0]);
            if (order != 0)
                return order;
            a = a[(numbers ? digitsA.Length : 1)..];
            b = b[(numbers ? digitsB.Length : 1)..];
        }
        int rest = a.Length.CompareTo(b.Length);
        return rest != 0 ? rest : string.CompareOrdinal(x, y);
    }

    private static ReadOnlySpan<char> Digits(ReadOnlySpan<char> text)
    {
        int length = text.IndexOfAnyExceptInRange('0', '9');
        return length < 0 ? text : text[..length];
    }

    private static int CompareNumbers(ReadOnlySpan<char> a, ReadOnlySpan<char> b)
    {
        a = a.TrimStart('0');
        b = b.TrimStart('0');
        return a.Length != b.Length ? a.Length.CompareTo(b.Length) : a.SequenceCompareTo(b);
    }
}
