using System.Text.RegularExpressions;

namespace Gradus.Training.Tests.Data.SmallWorld;

/// <summary>Words as ROUGE counts them, and the F1 of the longest common subsequence.</summary>
internal static partial class Words
{
    public static string[] Of(string text) => [.. Word().Matches(text.ToLowerInvariant()).Select(m => m.Value)];

    public static double RougeL(string candidate, string reference)
    {
        string[] a = Of(candidate), b = Of(reference);
        var row = new int[b.Length + 1];
        foreach (string word in a)
        {
            int diagonal = 0;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = word == b[j - 1] ? diagonal + 1 : Math.Max(above, row[j - 1]);
                diagonal = above;
            }
        }
        return 2.0 * row[^1] / (a.Length + b.Length);
    }

    [GeneratedRegex("[a-z0-9]+")]
    private static partial Regex Word();
}
