namespace Gradus.Files.Gguf.Families;

/// <summary>RoBERTa under BERT's architecture: its vocabulary is of another kind, and its positions begin behind the padding id, which llama.cpp's do not.</summary>
internal sealed class RobertaFamily() : BertFamily("roberta", "RobertaModel")
{
    /// <inheritdoc/>
    public override bool Reads(GgufMetadata metadata) => metadata.TryGet("tokenizer.ggml.model", out string? model) && model is "gpt2" or "t5";

    /// <inheritdoc/>
    protected override int FirstPosition(HyperParameters config) => config.Integer("pad_token_id") is { } padding and >= 0 and < 1024 ? padding + 1 : 2;
}
