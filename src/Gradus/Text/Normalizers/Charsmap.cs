// SentencePiece's compiled table of replacements: a double-array trie (Darts-clone's layout) over UTF-8, and the texts its values point to.
// Source: SentencePiece, normalizer.cc; Darts-clone's format; Hugging Face's spm_precompiled for the way tokenizer.json uses it.

using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gradus.Text;

internal sealed class Charsmap
{
    private readonly uint[] _units;
    private readonly byte[] _texts;
    private readonly bool[] _firstBytes = new bool[256];

    public Charsmap(ReadOnlySpan<byte> blob, string place)
    {
        if (blob.Length < 4)
            throw new InvalidDataException($"{place}: the charsmap has {blob.Length} bytes; it must begin with the four of its trie's size.");
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(blob);
        if (size > blob.Length - 4 || size % 4 != 0 || size == 0)
            throw new InvalidDataException($"{place}: the charsmap says that its trie has {size} bytes, of {blob.Length - 4} there are.");
        _units = new uint[size / 4];
        for (int i = 0; i < _units.Length; i++)
            _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(blob[(4 + (i * 4))..]);
        _texts = blob[(4 + (int)size)..].ToArray();
        CheckTexts(place);
        for (int b = 1; b < 256; b++)
        {
            uint node = OffsetOf(_units[0]) ^ (uint)b;
            _firstBytes[b] = node < _units.Length && LabelOf(_units[node]) == (uint)b;
        }
    }

    /// <summary>Whether any replacement begins with this byte.</summary>
    public bool MayBegin(byte b) => _firstBytes[b];

    /// <summary>The replacement of the longest (or the shortest) beginning of a text that has one; its length is 0 where none has.</summary>
    public int Match(ReadOnlySpan<byte> text, bool longest, out ReadOnlySpan<byte> replacement)
    {
        replacement = default;
        int length = 0;
        uint node = OffsetOf(_units[0]);
        for (int i = 0; i < text.Length && text[i] != 0; i++)
        {
            node ^= text[i];
            if (node >= _units.Length || LabelOf(_units[node]) != text[i])
                break;
            uint unit = _units[node];
            node ^= OffsetOf(unit);
            if (((unit >> 8) & 1) == 0)
                continue;
            if (node >= _units.Length)
                break;
            int at = (int)(_units[node] & 0x7FFFFFFF);
            ReadOnlySpan<byte> rest = _texts.AsSpan(Math.Min(at, _texts.Length));
            int end = rest.IndexOf((byte)0);
            replacement = end < 0 ? rest : rest[..end];
            length = i + 1;
            if (!longest)
                break;
        }
        return length;
    }

    /// <summary>Every value of the trie must point into the texts, and every text be UTF-8: else replacements would be garbage.</summary>
    private void CheckTexts(string place)
    {
        if (_texts.Length > 0 && _texts[^1] != 0)
            throw new InvalidDataException($"{place}: the charsmap's last text does not end; the file may be cut off.");
        if (!System.Text.Unicode.Utf8.IsValid(_texts))
            throw new InvalidDataException($"{place}: the charsmap's texts are not UTF-8.");
        // A unit with a leaf sends its value to the unit its offset points to.
        for (uint i = 0; i < _units.Length; i++)
        {
            uint unit = _units[i];
            if (((unit >> 8) & 1) == 0 || (unit & 0x80000000) != 0)
                continue;
            uint leaf = i ^ OffsetOf(unit);
            if (leaf >= _units.Length)
                throw new InvalidDataException($"{place}: the charsmap's trie points outside itself, at unit {i}.");
            if ((_units[leaf] & 0x80000000) != 0 && (_units[leaf] & 0x7FFFFFFF) >= _texts.Length)
                throw new InvalidDataException($"{place}: the charsmap points outside its texts, at unit {i}.");
        }
    }

    private static uint OffsetOf(uint unit) => (unit >> 10) << (int)((unit & (1u << 9)) >> 6);

    private static uint LabelOf(uint unit) => unit & (0x80000000u | 0xFF);
}

/// <summary>
/// SentencePiece's charsmap as tokenizer.json uses it: replacements are looked for at the start of each user-perceived character, then of
/// each of its code points.
/// </summary>
public sealed class PrecompiledNormalizer : Normalizer
{
    /// <summary>Longer characters are not looked up whole, as in the reference.</summary>
    private const int LongestWhole = 5;

    private readonly byte[] _blob;
    private readonly Charsmap _map;

    /// <summary>A normalizer from a compiled charsmap.</summary>
    /// <param name="charsmap">The charsmap's bytes, as a SentencePiece model has them.</param>
    /// <param name="place">What errors call it.</param>
    /// <exception cref="InvalidDataException">It is no charsmap.</exception>
    public PrecompiledNormalizer(ReadOnlySpan<byte> charsmap, string place = "precompiled_charsmap")
    {
        _blob = charsmap.ToArray();
        _map = new Charsmap(charsmap, place);
    }

    internal byte[] Blob => _blob;

    internal override void Apply(TextBuffer text)
    {
        ReadOnlySpan<byte> source = text.Span;
        string units = Encoding.UTF8.GetString(source);
        text.BeginRewrite();
        int at = 0;
        for (int u = 0; u < units.Length;)
        {
            int unitLength = StringInfo.GetNextTextElementLength(units, u);
            int length = Encoding.UTF8.GetByteCount(units.AsSpan(u, unitLength));
            u += unitLength;
            EmitCharacter(text, source.Slice(at, length), at);
            at += length;
        }
        text.EndRewrite();
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Precompiled");
        writer.WriteString("precompiled_charsmap", Convert.ToBase64String(_blob));
        writer.WriteEndObject();
    }

    private void EmitCharacter(TextBuffer text, ReadOnlySpan<byte> character, int at)
    {
        if (character.Length <= LongestWhole && _map.Match(character, longest: false, out ReadOnlySpan<byte> whole) > 0)
        {
            text.Emit(whole, at, at + character.Length);
            return;
        }
        for (int i = 0; i < character.Length;)
        {
            int length = Math.Min(CharacterClasses.LengthOf(character[i]), character.Length - i);
            if (_map.Match(character.Slice(i, length), longest: false, out ReadOnlySpan<byte> part) > 0)
                text.Emit(part, at + i, at + i + length);
            else
                text.Copy(at + i, length);
            i += length;
        }
    }
}
