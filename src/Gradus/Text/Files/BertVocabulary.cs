using System.Text;

namespace Gradus.Text;

/// <summary>Reads BERT's vocab.txt: a token a line, its number from 0 on is its id.</summary>
public static class BertVocabulary
{
    /// <summary>Reads a vocabulary.</summary>
    /// <param name="path">Path of vocab.txt.</param>
    /// <param name="lowercase">Whether text becomes lower case.</param>
    /// <param name="stripAccents">Whether accents are stripped; null does as <paramref name="lowercase"/> says.</param>
    /// <param name="handleChineseCharacters">Whether every Chinese character is a word.</param>
    /// <exception cref="InvalidDataException">The vocabulary lacks a token that BERT needs, or has one twice.</exception>
    public static Tokenizer Load(string path, bool lowercase = true, bool? stripAccents = null, bool handleChineseCharacters = true)
    {
        return Build(Read(path), path, new BertNormalizer(true, handleChineseCharacters, stripAccents, lowercase));
    }

    internal static Vocabulary Read(string path)
    {
        Vocabulary.Builder builder = new(byteLevel: false, 1 << 15);
        foreach (string line in File.ReadLines(path))
            builder.Add(Encoding.UTF8.GetBytes(line.TrimEnd('\r', '\n')), builder.Count);
        return builder.Build(path);
    }

    internal static Tokenizer Build(Vocabulary vocabulary, string place, BertNormalizer normalizer)
    {
        string[] names = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"];
        List<AddedToken> added = [];
        foreach (string name in names)
        {
            if (vocabulary.Find(name) is int id)
                added.Add(new AddedToken(id, name));
            else if (name is "[UNK]" or "[CLS]" or "[SEP]")
                throw new InvalidDataException($"{place}: there is no token {name}, which a BERT vocabulary has.");
        }
        return new Tokenizer(new TokenizerParts(new WordPiece(vocabulary, "[UNK]"))
        {
            Normalizer = normalizer,
            PreTokenizer = new BertPreTokenizer(),
            PostProcessor = Template(vocabulary),
            Decoder = new WordPieceDecoder(),
            AddedTokens = [.. added.OrderBy(a => a.Id)],
            SpecialTokens = TokenizerJson.GuessSpecialTokens(added),
        });
    }

    private static TemplateProcessing Template(Vocabulary vocabulary)
    {
        TemplatePart cls = new(TemplateSlot.Special, [vocabulary.Find("[CLS]")!.Value], 0, "[CLS]");
        TemplatePart sep = new(TemplateSlot.Special, [vocabulary.Find("[SEP]")!.Value], 0, "[SEP]");
        return new TemplateProcessing([cls, TemplatePart.First, sep], [cls, TemplatePart.First, sep, TemplatePart.Second, sep with { TypeId = 1 }]);
    }
}
