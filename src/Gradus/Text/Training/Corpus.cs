// Text to train a tokenizer on, read in chunks that are cut where no pattern joins what is on either side, so that files larger than
// memory are counted on all cores with the same result as in one piece.

using System.Collections.Concurrent;
using System.Text;

namespace Gradus.Text;

/// <summary>A source of text for training a tokenizer: files, or texts that come one by one. It may be read more than once.</summary>
public sealed class Corpus
{
    private const int ChunkBytes = 1 << 20;

    /// <summary>A stretch of this length without a place to cut is cut between any two characters.</summary>
    private const int LongestChunk = 1 << 26;

    private readonly Func<IEnumerable<byte[]>> _chunks;

    private Corpus(Func<IEnumerable<byte[]>> chunks)
    {
        _chunks = chunks;
    }

    /// <summary>Text files in UTF-8.</summary>
    /// <param name="paths">Their paths; each file ends its last piece.</param>
    public static Corpus FromFiles(params IReadOnlyList<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        return new Corpus(() => paths.SelectMany(ReadFile));
    }

    /// <summary>Texts, such as the documents of a data set.</summary>
    /// <param name="texts">The texts; each ends its last piece. Training may go through them more than once.</param>
    public static Corpus FromTexts(IEnumerable<string> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return new Corpus(() => texts.Select(Encoding.UTF8.GetBytes));
    }

    /// <summary>Counts the pieces of all text on all cores. Special tokens part the text and are not counted.</summary>
    internal WordCounts CountWords(IReadOnlyList<string> specialTokens, Func<PieceCounter> createCounter, int threads)
    {
        AddedTokenMatcher? matcher = specialTokens.Count == 0 ? null
            : new AddedTokenMatcher(specialTokens.Select((t, i) => (new AddedToken(i, t), Encoding.UTF8.GetBytes(t))));
        ConcurrentBag<PieceCounter> counters = [];
        // Chunks are handed out one at a time, so that no more than a few are in memory.
        Parallel.ForEach(
            Partitioner.Create(_chunks(), EnumerablePartitionerOptions.NoBuffering),
            new ParallelOptions { MaxDegreeOfParallelism = threads },
            () => createCounter(),
            (chunk, _, counter) =>
            {
                CountChunk(chunk, matcher, counter);
                return counter;
            },
            counters.Add);
        WordCounts all = new();
        foreach (PieceCounter counter in counters)
            all.Add(counter.Counts);
        return all;
    }

    private static void CountChunk(byte[] chunk, AddedTokenMatcher? matcher, PieceCounter counter)
    {
        ReadOnlySpan<byte> text = System.Text.Unicode.Utf8.IsValid(chunk) ? chunk : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(chunk));
        int at = 0;
        while (at < text.Length)
        {
            int start = text.Length;
            int end = text.Length;
            matcher?.Find(text, at, findSpecial: true, out start, out end);
            if (start > at)
            {
                counter.Count(text[at..start]);
                counter.Counts.TextBytes += start - at;
            }
            at = end;
        }
    }

    private static IEnumerable<byte[]> ReadFile(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan);
        byte[] buffer = new byte[ChunkBytes];
        int have = 0;
        while (true)
        {
            int read = stream.ReadAtLeast(buffer.AsSpan(have), buffer.Length - have, throwOnEndOfStream: false);
            have += read;
            if (have < buffer.Length)
            {
                if (have > 0)
                    yield return buffer[..have];
                yield break;
            }
            int cut = FindCut(buffer.AsSpan(0, have));
            if (cut == 0 && buffer.Length < LongestChunk)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
                continue;
            }
            if (cut == 0)
                cut = CharacterClasses.Previous(buffer, have);
            yield return buffer[..cut];
            buffer.AsSpan(cut, have - cut).CopyTo(buffer);
            have -= cut;
        }
    }

    /// <summary>The last place where a single line break is followed by a letter or digit, or a word ends before a single space; 0 where there is none.</summary>
    private static int FindCut(ReadOnlySpan<byte> text)
    {
        for (int i = text.Length - 1; i > 1; i--)
        {
            // Of more white space a pattern may give the last character to what follows.
            if (text[i - 1] == '\n' && char.IsAsciiLetterOrDigit((char)text[i]) && (CharacterClasses.At(text, CharacterClasses.Previous(text, i - 1), out _) & CharacterClasses.Space) == 0)
                return i;
        }
        for (int i = text.Length - 2; i > 1; i--)
        {
            if (text[i] == ' ' && char.IsAsciiLetter((char)text[i - 1]) && char.IsAsciiLetter((char)text[i + 1]))
                return i;
        }
        return 0;
    }
}

/// <summary>Cuts text into pieces and counts them; one a thread.</summary>
internal abstract class PieceCounter
{
    public WordCounts Counts { get; } = new();

    public abstract void Count(ReadOnlySpan<byte> text);
}

/// <summary>Counts the pieces that a normalizer and a pre-tokenizer give.</summary>
internal sealed class PipelineCounter(Normalizer? normalizer, PreTokenizer? preTokenizer) : PieceCounter
{
    private readonly EncodeScratch _scratch = new();

    public override void Count(ReadOnlySpan<byte> text)
    {
        _scratch.Text.Load(text, 0, track: false);
        normalizer?.Apply(_scratch.Text);
        if (_scratch.Text.Length == 0)
            return;
        _scratch.Pieces.Clear();
        _scratch.Pieces.Add(new TextPiece(0, _scratch.Text.Length));
        preTokenizer?.Apply(_scratch);
        foreach (TextPiece piece in _scratch.Pieces)
        {
            if (piece.End > piece.Start)
                Counts.Add(_scratch.Text.Span[piece.Start..piece.End]);
        }
    }
}

/// <summary>Counts the pieces of a hand-written splitter.</summary>
internal sealed class SplitterCounter(PatternSplitter splitter) : PieceCounter
{
    public override void Count(ReadOnlySpan<byte> text)
    {
        for (int i = 0; i < text.Length;)
        {
            int end = splitter.Next(text, i);
            Counts.Add(text[i..end]);
            i = end;
        }
    }
}
