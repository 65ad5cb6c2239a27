// Purpose: English stems for ROUGE, equal to nltk's PorterStemmer in its default mode.
// Source: M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980, https://tartarus.org/martin/PorterStemmer/def.txt,
// with the departures of nltk's NLTK_EXTENSIONS mode: a pool of irregular words; words of one or two letters stay; ies and ied
// after one letter keep an e; y becomes i only after a consonant that is not the first letter; alli, bli, fulli and logi in step 2;
// a two-letter stem vowel-consonant counts as short.
// Left out: the original and the Martin modes, and lower-casing (callers pass lower case).

namespace Gradus.Evaluation.Metrics;

/// <summary>Porter's suffix stripping for English words, with nltk's extensions.</summary>
public static class PorterStemmer
{
    private static readonly Dictionary<string, string> Irregular = new()
    {
        ["sky"] = "sky",
        ["skies"] = "sky",
        ["dying"] = "die",
        ["lying"] = "lie",
        ["tying"] = "tie",
        ["news"] = "news",
        ["innings"] = "inning",
        ["inning"] = "inning",
        ["outings"] = "outing",
        ["outing"] = "outing",
        ["cannings"] = "canning",
        ["canning"] = "canning",
        ["howe"] = "howe",
        ["proceed"] = "proceed",
        ["exceed"] = "exceed",
        ["succeed"] = "succeed",
    };

    // (suffix, replacement); the first suffix that fits decides, whether or not its condition holds.
    private static readonly (string Suffix, string Replacement)[] Step2Rules =
    [
        ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"),
        ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"), ("ator", "ate"),
        ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"), ("iviti", "ive"),
        ("biliti", "ble"), ("fulli", "ful"),
    ];

    private static readonly (string Suffix, string Replacement)[] Step3Rules =
    [
        ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""),
    ];

    private static readonly string[] Step4Suffixes =
    [
        "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti", "ous",
        "ive", "ize",
    ];

    /// <summary>The stem of a word in lower case; characters other than a, e, i, o, u and y count as consonants.</summary>
    /// <param name="word">The word; may be empty.</param>
    public static string Stem(string word)
    {
        ArgumentNullException.ThrowIfNull(word);
        if (Irregular.TryGetValue(word, out string? stem))
            return stem;
        if (word.Length <= 2)
            return word;
        return Step5b(Step5a(Step4(Step3(Step2(Step1c(Step1b(Step1a(word))))))));
    }

    // Plurals: caresses → caress, ponies → poni, cats → cat.
    private static string Step1a(string word)
    {
        if (word.EndsWith("ies", StringComparison.Ordinal))
            return word.Length == 4 ? word[..^1] : word[..^2];
        if (word.EndsWith("sses", StringComparison.Ordinal))
            return word[..^2];
        return word.EndsWith('s') && !word.EndsWith("ss", StringComparison.Ordinal) ? word[..^1] : word;
    }

    // Past and present participles: agreed → agree, plastered → plaster, hopping → hop, filing → file.
    private static string Step1b(string word)
    {
        if (word.EndsWith("ied", StringComparison.Ordinal))
            return word.Length == 4 ? word[..^1] : word[..^2];
        if (word.EndsWith("eed", StringComparison.Ordinal))
            return Measure(word.AsSpan(0, word.Length - 3)) > 0 ? word[..^1] : word;
        string stem;
        if (word.EndsWith("ed", StringComparison.Ordinal) && ContainsVowel(word.AsSpan(0, word.Length - 2)))
            stem = word[..^2];
        else if (word.EndsWith("ing", StringComparison.Ordinal) && ContainsVowel(word.AsSpan(0, word.Length - 3)))
            stem = word[..^3];
        else
            return word;

        if (stem.EndsWith("at", StringComparison.Ordinal) || stem.EndsWith("bl", StringComparison.Ordinal) || stem.EndsWith("iz", StringComparison.Ordinal))
            return stem + "e";
        if (EndsDoubleConsonant(stem))
            return stem[^1] is 'l' or 's' or 'z' ? stem : stem[..^1];
        return Measure(stem) == 1 && EndsShort(stem) ? stem + "e" : stem;
    }

    // happy → happi, but enjoy and by stay.
    private static string Step1c(string word)
        => word.EndsWith('y') && word.Length > 2 && IsConsonant(word, word.Length - 2) ? word[..^1] + "i" : word;

    private static string Step2(string word)
    {
        if (word.EndsWith("alli", StringComparison.Ordinal) && Measure(word.AsSpan(0, word.Length - 4)) > 0)
            return Step2(word[..^2]);
        foreach ((string suffix, string replacement) in Step2Rules)
        {
            if (word.EndsWith(suffix, StringComparison.Ordinal))
                return Replace(word, suffix, replacement);
        }
        // The l of logi counts towards the stem: geologi → geolog, but logi stays.
        return word.EndsWith("logi", StringComparison.Ordinal) && Measure(word.AsSpan(0, word.Length - 3)) > 0 ? word[..^1] : word;
    }

    private static string Step3(string word)
    {
        foreach ((string suffix, string replacement) in Step3Rules)
        {
            if (word.EndsWith(suffix, StringComparison.Ordinal))
                return Replace(word, suffix, replacement);
        }
        return word;
    }

    private static string Step4(string word)
    {
        foreach (string suffix in Step4Suffixes)
        {
            if (!word.EndsWith(suffix, StringComparison.Ordinal))
                continue;
            ReadOnlySpan<char> stem = word.AsSpan(0, word.Length - suffix.Length);
            bool fits = Measure(stem) > 1 && (suffix != "ion" || stem[^1] is 's' or 't');
            return fits ? stem.ToString() : word;
        }
        return word;
    }

    private static string Step5a(string word)
    {
        if (!word.EndsWith('e'))
            return word;
        ReadOnlySpan<char> stem = word.AsSpan(0, word.Length - 1);
        int m = Measure(stem);
        return m > 1 || (m == 1 && !EndsShort(stem)) ? stem.ToString() : word;
    }

    private static string Step5b(string word)
        => word.EndsWith("ll", StringComparison.Ordinal) && Measure(word.AsSpan(0, word.Length - 1)) > 1 ? word[..^1] : word;

    private static string Replace(string word, string suffix, string replacement)
    {
        ReadOnlySpan<char> stem = word.AsSpan(0, word.Length - suffix.Length);
        return Measure(stem) > 0 ? string.Concat(stem, replacement) : word;
    }

    // A y is a consonant at the start and after a vowel. A run of y alternates, so count the y before this one.
    private static bool IsConsonant(ReadOnlySpan<char> word, int i)
    {
        if (word[i] != 'y')
            return word[i] is not ('a' or 'e' or 'i' or 'o' or 'u');
        int first = i;
        while (first > 0 && word[first - 1] == 'y')
            first--;
        bool firstIsConsonant = first == 0 || word[first - 1] is 'a' or 'e' or 'i' or 'o' or 'u';
        return firstIsConsonant == ((i - first) % 2 == 0);
    }

    // Porter's m: how often a vowel is followed by a consonant.
    private static int Measure(ReadOnlySpan<char> stem)
    {
        int m = 0;
        bool vowel = false;
        for (int i = 0; i < stem.Length; i++)
        {
            bool consonant = stem[i] == 'y' ? i == 0 || vowel : IsConsonant(stem, i);
            if (consonant && vowel)
                m++;
            vowel = !consonant;
        }
        return m;
    }

    private static bool ContainsVowel(ReadOnlySpan<char> stem)
    {
        for (int i = 0; i < stem.Length; i++)
        {
            if (!IsConsonant(stem, i))
                return true;
        }
        return false;
    }

    private static bool EndsDoubleConsonant(ReadOnlySpan<char> word)
        => word.Length >= 2 && word[^1] == word[^2] && IsConsonant(word, word.Length - 1);

    // Consonant, vowel, consonant other than w, x and y; or vowel and consonant alone.
    private static bool EndsShort(ReadOnlySpan<char> word)
    {
        int n = word.Length;
        if (n == 2)
            return !IsConsonant(word, 0) && IsConsonant(word, 1);
        return n >= 3 && IsConsonant(word, n - 3) && !IsConsonant(word, n - 2) && IsConsonant(word, n - 1) && word[^1] is not ('w' or 'x' or 'y');
    }
}
