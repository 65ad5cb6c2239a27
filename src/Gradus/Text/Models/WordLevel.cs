using System.Text.Json;

namespace Gradus.Text;

/// <summary>One id per whole piece; a piece that is not in the vocabulary is the unknown token (Hugging Face's WordLevel).</summary>
public sealed class WordLevel : TokenModel
{
    private readonly string _unknownToken;
    private readonly int _unknown;

    internal WordLevel(Vocabulary vocabulary, string unknownToken)
        : base(vocabulary)
    {
        _unknownToken = unknownToken;
        _unknown = vocabulary.Find(unknownToken) ?? -1;
    }

    /// <inheritdoc/>
    public override int? UnknownId => _unknown >= 0 ? _unknown : null;

    internal override void Encode(ReadOnlySpan<byte> piece, EncodeScratch scratch)
    {
        int id = Vocabulary.Find(piece);
        if (id < 0)
            id = _unknown;
        if (id < 0)
        {
            throw new ArgumentException($"The text holds \"{System.Text.Encoding.UTF8.GetString(piece)}\", which is not in the vocabulary, and there is no unknown "
                + $"token (\"{_unknownToken}\" is not in it either). Train the tokenizer on text that has it, or with an unknown token.");
        }
        scratch.Add(id, 0, piece.Length);
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "WordLevel");
        WriteVocabulary(writer, Vocabulary);
        writer.WriteString("unk_token", _unknownToken);
        writer.WriteEndObject();
    }
}
