// The normalizer of a SentencePiece model: charsmap, white space, word marks and the dummy prefix, in one pass.
// Source: SentencePiece, normalizer.cc.

using System.Text.Json;

namespace Gradus.Text;

internal sealed class SentencePieceNormalizer : Normalizer
{
    private readonly Charsmap? _map;
    private readonly byte[] _blob;
    private readonly bool _dummyPrefix;
    private readonly bool _removeExtra;
    private readonly bool _suffix;
    private readonly byte[] _space;
    private readonly bool[] _userFirst = new bool[256];
    private readonly PieceTrie? _userDefined;

    // Bytes that stay as they are whatever follows.
    private readonly bool[] _plain = new bool[256];

    public SentencePieceNormalizer(SentencePieceSpec spec, byte[][] userDefined, int[] userDefinedIds)
    {
        UserDefinedIds = userDefinedIds;
        _blob = spec.Charsmap;
        _map = spec.Charsmap.Length == 0 ? null : new Charsmap(spec.Charsmap, $"{spec.Place}: normalizer_spec");
        _dummyPrefix = spec.AddDummyPrefix;
        PrefixFirstOnly = spec.PrefixFirstOnly;
        _removeExtra = spec.RemoveExtraWhitespaces;
        _suffix = spec.WhitespaceAsSuffix;
        _space = spec.EscapeWhitespaces ? "▁"u8.ToArray() : " "u8.ToArray();
        foreach (byte[] symbol in userDefined)
            _userFirst[symbol[0]] = true;
        _userDefined = userDefined.Length == 0 ? null : new PieceTrie(userDefined.Select((s, i) => (s, i)));
        for (int b = 0; b < 0x80; b++)
            _plain[b] = b != ' ' && !_userFirst[b] && _map?.MayBegin((byte)b) != true;
    }

    internal bool AddDummyPrefix => _dummyPrefix;

    /// <summary>Whether the prefix stands before the text only, not before every part between added tokens.</summary>
    internal bool PrefixFirstOnly { get; }

    internal bool RemoveExtraWhitespaces => _removeExtra;

    internal byte[] CharsmapBlob => _blob;

    internal bool IsSuffix => _suffix;

    internal IReadOnlyList<int> UserDefinedIds { get; }

    internal override void Apply(TextBuffer text)
    {
        ReadOnlySpan<byte> source = text.Span;
        int at = 0;
        while (_removeExtra && at < source.Length)
        {
            int length = Prefix(source[at..], out ReadOnlySpan<byte> piece, out bool _);
            if (!piece.SequenceEqual(" "u8))
                break;
            at += length;
        }
        text.BeginRewrite();
        if (at < source.Length)
        {
            bool prefix = _dummyPrefix && (!PrefixFirstOnly || text.OriginStart == 0);
            if (prefix && !_suffix)
                text.Emit(_space, at, at + CharacterClasses.LengthOf(source[at]));
            EmitAll(text, source, at);
            if (_removeExtra)
                text.TrimRewrittenEnd(_space, 0);
            if (prefix && _suffix)
                text.Emit(_space, source.Length, source.Length);
        }
        text.EndRewrite();
    }

    internal override void Write(Utf8JsonWriter writer) => throw new NotSupportedException("A SentencePiece normalizer is written as its parts.");

    private void EmitAll(TextBuffer text, ReadOnlySpan<byte> source, int at)
    {
        bool afterSpace = _removeExtra;
        while (at < source.Length)
        {
            int plain = at;
            while (plain < source.Length && _plain[source[plain]])
                plain++;
            // The next character may belong to the last plain one (a combining mark), but then that one may begin a replacement and is not plain.
            if (plain > at)
            {
                text.Copy(at, plain - at);
                at = plain;
                afterSpace = false;
                continue;
            }
            int length = Prefix(source[at..], out ReadOnlySpan<byte> piece, out bool changed);
            while (afterSpace && piece.Length > 0 && piece[0] == ' ')
                piece = piece[1..];
            if (piece.Length > 0)
            {
                if (changed || piece.Contains((byte)' '))
                    EmitPiece(text, piece, at, at + length);
                else
                    text.Copy(at, length);
                afterSpace = piece[^1] == ' ';
            }
            at += length;
            if (!_removeExtra)
                afterSpace = false;
        }
    }

    private void EmitPiece(TextBuffer text, ReadOnlySpan<byte> piece, int start, int end)
    {
        while (piece.Length > 0)
        {
            int space = piece.IndexOf((byte)' ');
            int plain = space < 0 ? piece.Length : space;
            text.Emit(piece[..plain], start, end);
            piece = piece[plain..];
            if (piece.Length > 0)
            {
                text.Emit(_space, start, end);
                piece = piece[1..];
            }
        }
    }

    /// <summary>What the text begins with becomes <paramref name="piece"/>; returns how much of the text that is.</summary>
    private int Prefix(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> piece, out bool changed)
    {
        changed = false;
        if (_userDefined is not null && _userFirst[text[0]])
        {
            int longest = 0;
            int node = PieceTrie.Root;
            for (int i = 0; i < text.Length; i++)
            {
                node = _userDefined.Child(node, text[i]);
                if (node < 0)
                    break;
                if (_userDefined.Value(node) >= 0)
                    longest = i + 1;
            }
            if (longest > 0)
            {
                piece = text[..longest];
                return longest;
            }
        }
        if (_map is not null && _map.MayBegin(text[0]))
        {
            int length = _map.Match(text, longest: true, out piece);
            if (length > 0)
            {
                changed = true;
                return length;
            }
        }
        int one = Math.Min(CharacterClasses.LengthOf(text[0]), text.Length);
        piece = text[..one];
        return one;
    }
}
