// GPT-2's own two files: vocab.json (or encoder.json) with ids, and merges.txt (or vocab.bpe) with a merge a line.

using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>Reads GPT-2's vocab.json and merges.txt.</summary>
public static class Gpt2Files
{
    /// <summary>Reads a byte-level BPE with GPT-2's pattern.</summary>
    /// <param name="vocabularyPath">Path of vocab.json or encoder.json.</param>
    /// <param name="mergesPath">Path of merges.txt or vocab.bpe.</param>
    /// <param name="endOfText">The special token, used where the vocabulary has it.</param>
    /// <exception cref="InvalidDataException">A file cannot be read; the message says where and why.</exception>
    public static Tokenizer Load(string vocabularyPath, string mergesPath, string endOfText = "<|endoftext|>")
    {
        using JsonDocument document = ParseJson(vocabularyPath);
        Vocabulary.Builder builder = new(byteLevel: true, 1 << 15);
        foreach ((string token, JsonPlace id) in new JsonPlace(document.RootElement, vocabularyPath).Properties())
        {
            try
            {
                builder.AddText(Encoding.UTF8.GetBytes(token), id.Number());
            }
            catch (InvalidDataException e) when (!e.Message.StartsWith(vocabularyPath, StringComparison.Ordinal))
            {
                throw new InvalidDataException($"{vocabularyPath}: {e.Message}", e);
            }
        }
        Vocabulary vocabulary = builder.Build(vocabularyPath);
        AddedToken[] added = vocabulary.Find(endOfText) is int id0 ? [new AddedToken(id0, endOfText)] : [];
        return new Tokenizer(new TokenizerParts(Bpe.FromMerges(vocabulary, ReadMerges(mergesPath, vocabulary), new BpeOptions()))
        {
            PreTokenizer = new ByteLevelPreTokenizer(addPrefixSpace: false, trimOffsets: true, useRegex: true, keepBytes: true),
            PostProcessor = new ByteLevelProcessing(trimOffsets: false),
            Decoder = new ByteLevelDecoder(),
            AddedTokens = added,
            SpecialTokens = added.Length == 0 ? SpecialTokens.None : new SpecialTokens(Bos: endOfText, Eos: endOfText, Unknown: endOfText),
        });
    }

    private static JsonDocument ParseJson(string path)
    {
        try
        {
            return JsonDocument.Parse(Utf8File.Read(path));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: not JSON, line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}: {e.Message}", e);
        }
    }

    private static Merge[] ReadMerges(string path, Vocabulary vocabulary)
    {
        List<Merge> merges = [];
        byte[] raw = new byte[256];
        ReadOnlySpan<byte> data = Utf8File.Read(path).Span;
        int number = 0;
        while (data.Length > 0)
        {
            number++;
            int end = data.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = (end < 0 ? data : data[..end]).TrimEnd((byte)'\r');
            data = end < 0 ? default : data[(end + 1)..];
            if (line.IsEmpty || (number == 1 && line.StartsWith("#version"u8)))
                continue;
            int space = line.IndexOf((byte)' ');
            if (space <= 0 || space == line.Length - 1 || line[(space + 1)..].Contains((byte)' '))
                throw new InvalidDataException($"{path}, line {number}: expected two tokens with one space between them, found \"{Encoding.UTF8.GetString(line)}\".");
            if (raw.Length < line.Length)
                raw = new byte[line.Length * 2];
            bool known = ByteAlphabet.TryToBytes(line[..space], raw, out int left) & ByteAlphabet.TryToBytes(line[(space + 1)..], raw.AsSpan(left), out int right);
            Merge merge = new(vocabulary.Find(raw.AsSpan(0, left)), vocabulary.Find(raw.AsSpan(left, right)), vocabulary.Find(raw.AsSpan(0, left + right)));
            if (!known || merge.Left < 0 || merge.Right < 0 || merge.Joined < 0)
                throw new InvalidDataException($"{path}, line {number}: one of the tokens of \"{Encoding.UTF8.GetString(line)}\", or the two together, is not in the vocabulary.");
            merges.Add(merge);
        }
        return [.. merges];
    }
}
