using System.Numerics;

namespace Gradus.Training.Data.Cleaning;

/// <summary>
/// The words of a text as rolling hashes of their characters, so that n-grams are compared without being written out. Two n-grams of one text are taken
/// for equal when 64 bits agree.
/// </summary>
internal sealed class WordHashes
{
    private const ulong Base = 0x9E3779B97F4A7C15;
    private readonly ulong[] _sums;
    private readonly ulong[] _powers;
    private readonly ulong[] _words;
    private readonly int[] _starts;
    private readonly int[] _lengths;

    // An open hash table for the n-grams of one length at a time: an entry counts while its stamp is the present one.
    private readonly ulong[] _keys;
    private readonly int[] _counts;
    private readonly int[] _stamps;
    private int _stamp;

    public WordHashes(string text)
    {
        List<TextPart> words = [];
        TextUnits.Words(text, words);
        int units = 0;
        foreach (TextPart word in words)
            units += word.End - word.Start;
        _sums = new ulong[units + 1];
        _powers = new ulong[units + 1];
        _words = new ulong[words.Count];
        _starts = new int[words.Count + 1];
        _lengths = new int[words.Count + 1];
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, words.Count * 2));
        (_keys, _counts, _stamps) = (new ulong[size], new int[size], new int[size]);
        _powers[0] = 1;
        int at = 0;
        for (int w = 0; w < words.Count; w++)
        {
            for (int i = words[w].Start; i < words[w].End; i++, at++)
            {
                _sums[at + 1] = (_sums[at] * Base) + text[i] + 1;
                _powers[at + 1] = _powers[at] * Base;
            }
            _starts[w + 1] = at;
            _lengths[w + 1] = _lengths[w] + TextUnits.Length(text.AsSpan(words[w].Start, words[w].End - words[w].Start));
            _words[w] = Mixed(Between(_starts[w], at) + (ulong)(at - _starts[w]));
        }
    }

    private int Count => _words.Length;

    /// <summary>Characters of all occurrences of the most frequent n-gram, its spaces included; of those equally frequent the first.</summary>
    public int TopCharacters(int n)
    {
        _stamp++;
        int top = 0;
        for (int i = 0; i + n <= Count; i++)
            top = Math.Max(top, ++_counts[Entry(Spaced(i, n))]);
        for (int i = 0; i + n <= Count; i++)
        {
            if (_counts[Entry(Spaced(i, n))] == top)
                return top * (_lengths[i + n] - _lengths[i] + n - 1);
        }
        return 0;
    }

    /// <summary>Characters of n-grams that were there before, without spaces; behind one of them the scan goes on n words later.</summary>
    public int RepeatedCharacters(int n)
    {
        _stamp++;
        int characters = 0;
        for (int i = 0; i + n <= Count;)
        {
            int units = _starts[i + n] - _starts[i];
            if (_counts[Entry(Mixed(Between(_starts[i], _starts[i + n]) + (ulong)units))]++ == 0)
            {
                i++;
                continue;
            }
            characters += _lengths[i + n] - _lengths[i];
            i += n;
        }
        return characters;
    }

    private static ulong Mixed(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    private ulong Between(int start, int end) => _sums[end] - (_sums[start] * _powers[end - start]);

    // The words' borders count.
    private ulong Spaced(int first, int n)
    {
        ulong sum = 0;
        for (int w = first; w < first + n; w++)
            sum = Mixed((sum * Base) + _words[w]);
        return sum;
    }

    private int Entry(ulong key)
    {
        int mask = _keys.Length - 1;
        for (int at = (int)key & mask; ; at = (at + 1) & mask)
        {
            if (_stamps[at] != _stamp)
            {
                (_stamps[at], _keys[at], _counts[at]) = (_stamp, key, 0);
                return at;
            }
            if (_keys[at] == key)
                return at;
        }
    }
}
