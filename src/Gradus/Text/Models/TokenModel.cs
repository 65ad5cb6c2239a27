using System.Text.Json;

namespace Gradus.Text;

/// <summary>
/// The part of a tokenizer that turns one piece of text into ids: <see cref="Bpe"/>, <see cref="WordPiece"/>, <see cref="Unigram"/> or
/// <see cref="WordLevel"/>. Immutable and safe for use by many threads.
/// </summary>
public abstract class TokenModel
{
    private protected TokenModel(Vocabulary vocabulary)
    {
        Vocabulary = vocabulary;
    }

    /// <summary>The model's own tokens; added tokens are the tokenizer's.</summary>
    public Vocabulary Vocabulary { get; }

    /// <summary>The id that stands for what the model does not know, or null.</summary>
    public virtual int? UnknownId => null;

    /// <summary>Appends the ids of one piece, each with the end of its text in the piece, to the scratch memory.</summary>
    internal abstract void Encode(ReadOnlySpan<byte> piece, EncodeScratch scratch);

    /// <summary>Writes the object that tokenizer.json has under "model".</summary>
    internal abstract void Write(Utf8JsonWriter writer);

    private protected static void WriteVocabulary(Utf8JsonWriter writer, Vocabulary vocabulary)
    {
        writer.WriteStartObject("vocab");
        for (int id = 0; id < vocabulary.Count; id++)
        {
            if (vocabulary.GetToken(id) is { } token)
                writer.WriteNumber(token, id);
        }
        writer.WriteEndObject();
    }
}
