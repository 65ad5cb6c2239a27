// Source: the inverted index in segments that Lucene made usual (immutable segments, merged in the background); the encoding is our own:
// for each chunk the distance to the last one, then its count in the text with one bit for "also in the title", then the count in the title; all varints.

namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>Makes the postings of a batch of chunks. One thread at a time.</summary>
internal sealed class SegmentBuilder
{
    private readonly TextAnalyzer _analyzer;
    private readonly Dictionary<string, int> _termIds = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int[]> _words = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly List<PostingWriter> _postings = [];
    private readonly List<int> _touched = [];
    private readonly WordVisitor _visitTitle;
    private readonly WordVisitor _visitBody;
    private int _title;
    private int _body;

    /// <summary>A builder for one segment.</summary>
    public SegmentBuilder(TextAnalyzer analyzer)
    {
        _analyzer = analyzer;
        _lookup = _words.GetAlternateLookup<ReadOnlySpan<char>>();
        _visitTitle = word => Count(word, title: true);
        _visitBody = word => Count(word, title: false);
    }

    /// <summary>The lengths of the chunks so far, in terms: of the title and of the text.</summary>
    public List<(int Title, int Body)> Lengths { get; } = [];

    /// <summary>Adds the next chunk.</summary>
    public void Add(string title, ReadOnlySpan<char> body)
    {
        (_title, _body) = (0, 0);
        TextAnalyzer.Words(title, _visitTitle);
        TextAnalyzer.Words(body, _visitBody);
        foreach (int term in _touched)
            _postings[term].End(Lengths.Count);
        _touched.Clear();
        Lengths.Add((_title, _body));
    }

    /// <summary>The terms in ascending order with their postings; chunks count from 0 in the order they were added.</summary>
    public IEnumerable<(string Term, ReadOnlyMemory<byte> Postings)> Terms()
    {
        string[] terms = [.. _termIds.Keys];
        Array.Sort(terms, StringComparer.Ordinal);
        foreach (string term in terms)
            yield return (term, _postings[_termIds[term]].Written);
    }

    private void Count(ReadOnlySpan<char> word, bool title)
    {
        if (!_lookup.TryGetValue(word, out int[]? terms))
        {
            terms = [.. _analyzer.Terms(word).Select(TermId)];
            _lookup[word] = terms;
        }
        foreach (int term in terms)
        {
            if (_postings[term].Count(title))
                _touched.Add(term);
        }
        _ = title ? _title += terms.Length : _body += terms.Length;
    }

    private int TermId(string term)
    {
        if (!_termIds.TryGetValue(term, out int id))
        {
            _termIds[term] = id = _postings.Count;
            _postings.Add(new PostingWriter());
        }
        return id;
    }
}

/// <summary>The postings of one term, as they are written.</summary>
internal sealed class PostingWriter
{
    private byte[] _bytes = new byte[8];
    private int _length;
    private int _last = -1;
    private int _title;
    private int _body;

    /// <summary>What has been written.</summary>
    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, _length);

    /// <summary>Counts one appearance in the chunk at hand; true for the first.</summary>
    public bool Count(bool title)
    {
        bool first = _title + _body == 0;
        _ = title ? _title++ : _body++;
        return first;
    }

    /// <summary>Writes the counts of the chunk at hand.</summary>
    public void End(int chunk)
    {
        Write(chunk, _title, _body);
        (_title, _body) = (0, 0);
    }

    /// <summary>Writes a posting; chunks ascend.</summary>
    public void Write(int chunk, int title, int body)
    {
        if (_bytes.Length < _length + 15)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, 24));
        Varint((uint)(chunk - _last));
        Varint(((uint)body << 1) | (title > 0 ? 1u : 0));
        if (title > 0)
            Varint((uint)title);
        _last = chunk;
    }

    private void Varint(uint value)
    {
        while (value >= 0x80)
        {
            _bytes[_length++] = (byte)(value | 0x80);
            value >>= 7;
        }
        _bytes[_length++] = (byte)value;
    }
}

/// <summary>Reads postings in order.</summary>
internal ref struct PostingReader(ReadOnlySpan<byte> bytes, int firstChunk)
{
    private ReadOnlySpan<byte> _bytes = bytes;
    private int _chunk = firstChunk - 1;

    /// <summary>The next posting; false behind the last.</summary>
    /// <exception cref="InvalidDataException">The bytes end in the middle.</exception>
    public bool Next(out int chunk, out int title, out int body)
    {
        (chunk, title, body) = (0, 0, 0);
        if (_bytes.Length == 0)
            return false;
        _chunk += (int)Varint();
        uint packed = Varint();
        (chunk, body, title) = (_chunk, (int)(packed >> 1), (packed & 1) != 0 ? (int)Varint() : 0);
        return true;
    }

    private uint Varint()
    {
        uint value = 0;
        for (int shift = 0; shift < 35; shift += 7)
        {
            if (_bytes.Length == 0)
                break;
            byte b = _bytes[0];
            _bytes = _bytes[1..];
            value |= (uint)(b & 0x7F) << shift;
            if (b < 0x80)
                return value;
        }
        throw new InvalidDataException("the keyword index is damaged: index the documents again.");
    }
}
