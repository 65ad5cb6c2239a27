using System.Text;

namespace Gradus.Text;

/// <summary>
/// Turns ids into text as they come. What it gives never ends within a character, and all of it together is what
/// <see cref="Tokenizer.Decode"/> gives for all the ids. Not for use by two threads at once.
/// </summary>
public sealed class DecodeStream
{
    /// <summary>A character takes four bytes at most, so that U+FFFD after so many more tokens is meant.</summary>
    private const int MaxPending = 8;

    private readonly Tokenizer _tokenizer;
    private readonly bool _skipSpecial;
    private readonly Decoder? _utf8;
    private readonly List<int> _ids = [];
    // The tokens whose text was given last stay, because how a token reads can depend on the one before it.
    private int _givenIds;
    private string _given = "";

    internal DecodeStream(Tokenizer tokenizer, bool skipSpecialTokens)
    {
        _tokenizer = tokenizer;
        _skipSpecial = skipSpecialTokens;
        _utf8 = tokenizer.DecodesBytes ? Encoding.UTF8.GetDecoder() : null;
    }

    /// <summary>Whether all the ids so far have given all their text.</summary>
    internal bool IsEmpty => _utf8 is null ? _ids.Count == _givenIds : _utf8.GetCharCount([], flush: true) == 0;

    /// <summary>Adds an id.</summary>
    /// <param name="id">The id.</param>
    /// <returns>The text that is now certain; empty where the id ends within a character.</returns>
    public string Append(int id)
    {
        if (_utf8 is not null)
            return Convert(_tokenizer.BytesOf(id, _skipSpecial), flush: false);
        if (_skipSpecial && _tokenizer.IsSpecial(id))
            return "";
        _ids.Add(id);
        string text = Decode();
        // A replacement character at the end may be the first half of a character.
        if (text.Length <= _given.Length || (text[^1] == '\uFFFD' && _ids.Count - _givenIds < MaxPending))
            return "";
        string added = Difference(text);
        Forget();
        return added;
    }

    /// <summary>Ends the text.</summary>
    /// <returns>What was held back: U+FFFD for a character that never ended, or nothing.</returns>
    public string Flush()
    {
        if (_utf8 is not null)
            return Convert([], flush: true);
        string added = Difference(Decode());
        _ids.Clear();
        _given = "";
        _givenIds = 0;
        return added;
    }

    /// <summary>Lets go of the tokens before those just given, unless these read as nothing by themselves.</summary>
    private void Forget()
    {
        int old = _givenIds;
        _givenIds = _ids.Count;
        List<int> last = _ids.GetRange(old, _ids.Count - old);
        string alone = _tokenizer.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(last), _skipSpecial);
        if (alone.Length == 0)
        {
            _given = Decode();
            return;
        }
        _ids.RemoveRange(0, old);
        _givenIds = _ids.Count;
        _given = alone;
    }

    private string Decode() => _tokenizer.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_ids), _skipSpecial);

    private string Difference(string text) => text.StartsWith(_given, StringComparison.Ordinal) ? text[_given.Length..] : "";

    private string Convert(ReadOnlySpan<byte> bytes, bool flush)
    {
        char[] chars = new char[_utf8!.GetCharCount(bytes, flush)];
        int n = _utf8.GetChars(bytes, chars, flush);
        return new string(chars, 0, n);
    }
}
