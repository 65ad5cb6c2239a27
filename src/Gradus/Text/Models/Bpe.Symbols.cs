using System.Text;
using System.Text.Json;

namespace Gradus.Text;

// The symbols a piece starts from, before any merge, and how the model is written.
public sealed partial class Bpe
{
    private static int[] FindBytes(Vocabulary vocabulary, BpeOptions options)
    {
        int[] ids = new int[256];
        for (int b = 0; b < 256; b++)
        {
            ids[b] = vocabulary.IsByteLevel ? vocabulary.Find([(byte)b])
                : options.ByteFallback ? vocabulary.Find(Encoding.ASCII.GetBytes($"<0x{b:X2}>"))
                : -1;
        }
        return ids;
    }

    /// <summary>Whether a merge has a byte token or the unknown token as a part: then cutting by the characters of tokens is not safe.</summary>
    private bool MergesBytesOrUnknown()
    {
        if (_merges is null)
            return false;
        HashSet<int> special = [.. _byteIds.Where(id => id >= 0)];
        if (_unknown >= 0)
            special.Add(_unknown);
        foreach (Merge merge in _merges)
        {
            if (special.Contains(merge.Left) || special.Contains(merge.Right))
                return true;
        }
        return false;
    }

    private void StartFromBytes(ReadOnlySpan<byte> word, MergeMemory memory)
    {
        memory.Begin();
        for (int i = 0; i < word.Length; i++)
        {
            int id = _byteIds[word[i]];
            if (id >= 0)
                memory.Add(id, i);
            else
                AddUnknown(memory, i, i);
        }
        memory.End(word.Length);
    }

    private void StartFromCharacters(ReadOnlySpan<byte> word, MergeMemory memory)
    {
        memory.Begin();
        int unknownEnd = -1;
        for (int i = 0; i < word.Length;)
        {
            int length = Math.Min(CharacterClasses.LengthOf(word[i]), word.Length - i);
            int id = FindCharacter(word, i, length);
            if (id >= 0)
                memory.Add(id, i);
            else if (!_options.ByteFallback || !TryAddBytes(word, i, length, memory))
                unknownEnd = AddUnknown(memory, i, unknownEnd) ? i + length : unknownEnd;
            i += length;
        }
        memory.End(word.Length);
    }

    private int FindCharacter(ReadOnlySpan<byte> word, int i, int length)
    {
        string? prefix = i > 0 ? _options.ContinuingSubwordPrefix : null;
        string? suffix = i + length == word.Length ? _options.EndOfWordSuffix : null;
        if (prefix is null && suffix is null)
            return Vocabulary.Find(word.Slice(i, length));
        return Vocabulary.Find([.. Encoding.UTF8.GetBytes(prefix ?? ""), .. word.Slice(i, length), .. Encoding.UTF8.GetBytes(suffix ?? "")]);
    }

    /// <summary>Adds a character as its bytes, those of the prefix and suffix that it would have among them, unless one has no token.</summary>
    private bool TryAddBytes(ReadOnlySpan<byte> word, int i, int length, MergeMemory memory)
    {
        ReadOnlySpan<byte> prefix = i > 0 && _options.ContinuingSubwordPrefix is { } p ? Encoding.UTF8.GetBytes(p) : default;
        ReadOnlySpan<byte> suffix = i + length == word.Length && _options.EndOfWordSuffix is { } s ? Encoding.UTF8.GetBytes(s) : default;
        ReadOnlySpan<byte> character = word.Slice(i, length);
        if (!AllBytesKnown(prefix) || !AllBytesKnown(character) || !AllBytesKnown(suffix))
            return false;
        foreach (byte b in prefix)
            memory.Add(_byteIds[b], i);
        for (int k = 0; k < length; k++)
            memory.Add(_byteIds[character[k]], i + k);
        foreach (byte b in suffix)
            memory.Add(_byteIds[b], i + length);
        return true;
    }

    private bool AllBytesKnown(ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            if (_byteIds[b] < 0)
                return false;
        }
        return true;
    }

    /// <summary>Adds the unknown token, unless there is none (the character is dropped) or it joins the unknown one that ended here.</summary>
    private bool AddUnknown(MergeMemory memory, int start, int unknownEnd)
    {
        if (_unknown < 0)
            return false;
        bool joins = _options.FuseUnknown && unknownEnd == start && memory.Count > 0 && memory.Id[memory.Count - 1] == _unknown;
        if (!joins)
            memory.Add(_unknown, start);
        return true;
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "BPE");
        writer.WriteNull("dropout");
        writer.WriteString("unk_token", _options.UnknownToken);
        writer.WriteString("continuing_subword_prefix", _options.ContinuingSubwordPrefix);
        writer.WriteString("end_of_word_suffix", _options.EndOfWordSuffix);
        writer.WriteBoolean("fuse_unk", _options.FuseUnknown);
        writer.WriteBoolean("byte_fallback", _options.ByteFallback);
        writer.WriteBoolean("ignore_merges", _options.IgnoreMerges);
        WriteVocabulary(writer, Vocabulary);
        writer.WriteStartArray("merges");
        foreach (Merge merge in ListMerges())
        {
            writer.WriteStartArray();
            writer.WriteStringValue(Vocabulary.GetToken(merge.Left));
            writer.WriteStringValue(Vocabulary.GetToken(merge.Right));
            writer.WriteEndArray();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
