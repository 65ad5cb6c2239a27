// The working text of the general encoding path: UTF-8 that normalizers and pre-tokenizers rewrite, with the place in the original
// text that every byte came from. Following the alignments of Hugging Face's NormalizedString, kept as two flat arrays.

namespace Gradus.Text;

internal sealed class TextBuffer
{
    private byte[] _bytes = new byte[1024];
    private byte[] _nextBytes = new byte[1024];
    private int _nextLength;

    // Per byte of the text, the half-open range of original bytes it stands for. Only when offsets are tracked.
    private int[] _from = [];
    private int[] _to = [];
    private int[] _nextFrom = [];
    private int[] _nextTo = [];
    private bool _track;

    public int Length { get; private set; }

    /// <summary>Where the text began in the original, in bytes, before any rewriting.</summary>
    public int OriginStart { get; private set; }

    public Span<byte> Span => _bytes.AsSpan(0, Length);

    /// <summary>Fills the buffer with a part of the original text that starts at <paramref name="origin"/>.</summary>
    public void Load(ReadOnlySpan<byte> utf8, int origin, bool track)
    {
        if (_bytes.Length < utf8.Length)
            _bytes = new byte[Math.Max(utf8.Length, _bytes.Length * 2)];
        utf8.CopyTo(_bytes);
        Length = utf8.Length;
        OriginStart = origin;
        _track = track;
        if (!track)
            return;
        if (_from.Length < _bytes.Length)
        {
            _from = new int[_bytes.Length];
            _to = new int[_bytes.Length];
        }
        // Every byte of a character stands for the whole character, so that a token that holds part of one covers all of it.
        for (int i = 0; i < utf8.Length;)
        {
            int n = Math.Min(CharacterClasses.LengthOf(utf8[i]), utf8.Length - i);
            for (int k = i; k < i + n; k++)
            {
                _from[k] = origin + i;
                _to[k] = origin + i + n;
            }
            i += n;
        }
    }

    /// <summary>Fills the buffer with a part of another, with where it came from.</summary>
    public void LoadPart(TextBuffer source, int start, int end)
    {
        BeginRewrite();
        _track = source._track;
        int count = end - start;
        ReserveNext(count);
        source._bytes.AsSpan(start, count).CopyTo(_nextBytes);
        if (_track)
        {
            source._from.AsSpan(start, count).CopyTo(_nextFrom);
            source._to.AsSpan(start, count).CopyTo(_nextTo);
        }
        _nextLength = count;
        EndRewrite();
        // Only a part from the very start is at the start of the original.
        OriginStart = start == 0 ? source.OriginStart : Math.Max(1, source.OriginStart);
    }

    /// <summary>Starts a new version of the text; <see cref="Copy"/> and <see cref="Emit(ReadOnlySpan{byte}, int, int)"/> write it.</summary>
    public void BeginRewrite() => _nextLength = 0;

    /// <summary>How long the new version is so far.</summary>
    public int RewrittenLength => _nextLength;

    /// <summary>Takes <paramref name="count"/> bytes of the old version over unchanged.</summary>
    public void Copy(int start, int count)
    {
        ReserveNext(count);
        _bytes.AsSpan(start, count).CopyTo(_nextBytes.AsSpan(_nextLength));
        if (_track)
        {
            _from.AsSpan(start, count).CopyTo(_nextFrom.AsSpan(_nextLength));
            _to.AsSpan(start, count).CopyTo(_nextTo.AsSpan(_nextLength));
        }
        _nextLength += count;
    }

    /// <summary>Writes bytes that stand for the old version's bytes from <paramref name="start"/> to <paramref name="end"/>.</summary>
    public void Emit(ReadOnlySpan<byte> bytes, int start, int end)
    {
        ReserveNext(bytes.Length);
        bytes.CopyTo(_nextBytes.AsSpan(_nextLength));
        if (_track)
        {
            (int from, int to) = Origin(start, end);
            _nextFrom.AsSpan(_nextLength, bytes.Length).Fill(from);
            _nextTo.AsSpan(_nextLength, bytes.Length).Fill(to);
        }
        _nextLength += bytes.Length;
    }

    /// <summary>Takes every repetition of <paramref name="bytes"/> off the end of the new version, down to a length.</summary>
    public void TrimRewrittenEnd(ReadOnlySpan<byte> bytes, int least)
    {
        while (_nextLength - bytes.Length >= least && _nextBytes.AsSpan(0, _nextLength).EndsWith(bytes))
            _nextLength -= bytes.Length;
    }

    /// <summary>Makes the new version the text.</summary>
    public void EndRewrite()
    {
        (_bytes, _nextBytes) = (_nextBytes, _bytes);
        (_from, _nextFrom) = (_nextFrom, _from);
        (_to, _nextTo) = (_nextTo, _to);
        Length = _nextLength;
    }

    /// <summary>The range of the original text that a range of this text stands for; an empty range lies where the next byte came from.</summary>
    public (int Start, int End) Origin(int start, int end)
    {
        if (!_track)
            return (0, 0);
        if (end > start)
            return (_from[start], Math.Max(_from[start], _to[end - 1]));
        int at = start < Length ? _from[start] : Length > 0 ? _to[Length - 1] : OriginStart;
        return (at, at);
    }

    private void ReserveNext(int count)
    {
        int need = _nextLength + count;
        if (need > _nextBytes.Length)
            Array.Resize(ref _nextBytes, Math.Max(need, _nextBytes.Length * 2));
        if (_track && need > _nextFrom.Length)
        {
            Array.Resize(ref _nextFrom, _nextBytes.Length);
            Array.Resize(ref _nextTo, _nextBytes.Length);
        }
    }
}
