using System.Text.Json.Nodes;
using Gradus.Text.Chat.Jinja;

namespace Gradus.Text.Chat;

/// <summary>
/// A chat template: Jinja as Hugging Face's transformers runs it (trim_blocks and lstrip_blocks on, auto-escaping off, immutable
/// sandbox, break and continue, generation blocks, <c>tojson</c> without HTML escapes, <c>raise_exception</c>, <c>strftime_now</c>).
/// Parsed once, then rendered any number of times, from any number of threads. Rendering is bounded by <see cref="ChatTemplateLimits"/>
/// and reaches nothing outside its variables. Sources: the Jinja template designer documentation and transformers' chat templating guide.
/// Left out, with an error that names it: references to other templates, autoescape, and a few filters for web pages.
/// </summary>
public sealed partial class ChatTemplate
{
    /// <summary>
    /// The template of models that Gradus trains itself: ChatML with tools, and generation blocks around what the assistant writes,
    /// its end token included. Any program that reads Hugging Face templates can run it.
    /// </summary>
    public const string ChatMl =
        """
        {%- if tools %}
            {{- '<|im_start|>system\n' }}
            {%- if messages and messages[0].role == 'system' %}
                {{- messages[0].content + '\n\n' }}
            {%- endif %}
            {{- 'You can call these tools:\n<tools>\n' }}
            {%- for tool in tools %}
                {{- (tool | tojson) + '\n' }}
            {%- endfor %}
            {{- '</tools>\nTo call one, write:\n<tool_call>\n{"name": "NAME", "arguments": {}}\n</tool_call><|im_end|>\n' }}
        {%- endif %}
        {%- for message in messages %}
            {%- if not (loop.first and tools and message.role == 'system') %}
                {{- '<|im_start|>' + message.role + '\n' }}
                {%- if message.role == 'assistant' %}
                    {%- generation %}
                        {{- message.content or '' }}
                        {%- for call in message.tool_calls or [] %}
                            {%- set function = call.function or call %}
                            {{- '\n' if message.content or not loop.first }}
                            {{- '<tool_call>\n{"name": ' + (function.name | tojson) + ', "arguments": ' }}
                            {{- function.arguments if function.arguments is string else function.arguments | tojson }}
                            {{- '}\n</tool_call>' }}
                        {%- endfor %}
                        {{- '<|im_end|>' }}
                    {%- endgeneration %}
                    {{- '\n' }}
                {%- else %}
                    {{- message.content + '<|im_end|>\n' }}
                {%- endif %}
            {%- endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- '<|im_start|>assistant\n' }}
        {%- endif %}
        """;

    private readonly Block _body;

    private ChatTemplate(string source, Block body, bool hasGenerationBlocks) =>
        (Source, _body, HasGenerationBlocks) = (source, body, hasGenerationBlocks);

    /// <summary>The template as it was given.</summary>
    public string Source { get; }

    /// <summary>Whether the template says itself what the assistant writes.</summary>
    public bool HasGenerationBlocks { get; }

    /// <summary>Parses a template.</summary>
    /// <param name="template">The <c>chat_template</c> of a <c>tokenizer_config.json</c> or the content of a <c>chat_template.jinja</c>.</param>
    /// <exception cref="ChatTemplateException">It cannot be parsed, or uses what is not supported; the message has line and column.</exception>
    public static ChatTemplate Parse(string template)
    {
        ArgumentNullException.ThrowIfNull(template);
        (Block body, bool hasGeneration) = Parser.Parse(template, JinjaSettings.Chat);
        return new ChatTemplate(template, body, hasGeneration);
    }

    /// <summary>Renders a conversation as text.</summary>
    /// <param name="conversation">The messages, tools and documents.</param>
    /// <param name="options">Generation prompt, tokens, variables, clock and limits; the defaults where null.</param>
    /// <exception cref="ChatTemplateRaisedException">The template refuses the conversation.</exception>
    /// <exception cref="ChatTemplateException">The template fails or passes a limit.</exception>
    public string Render(ChatConversation conversation, ChatRenderOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(conversation);
        return Run(Prepare(conversation, conversation.Messages.Count, options ?? new(), false)).ToString();
    }

    /// <summary>
    /// Renders a conversation and says which characters came from which message, and which of them the assistant writes.
    /// The text is the same as that of <see cref="Render"/>.
    /// </summary>
    /// <remarks>
    /// Generation blocks decide where the template has them. Else the text is traced while the template runs: strings remember
    /// the message they were read from through concatenation, slices, trimming, splitting and replacing, and a loop iteration
    /// over a message is that message's turn. This holds for templates that rewrite earlier turns (dropped reasoning, a moved
    /// system prompt), where comparing renderings of growing prefixes does not. Within a turn the assistant's part starts where the
    /// generation prompt ends: the conversation before the turn is rendered with and without the prompt, and what it adds is looked
    /// for at the start of the turn. It ends with the turn; white space after the end-of-turn token is left out, because the model
    /// never has to write it. Characters traced to a message of another role are never in an
    /// assistant span; text that a template prints before a tool's result inside the assistant's own turn is.
    /// </remarks>
    /// <param name="conversation">The messages, tools and documents.</param>
    /// <param name="options">Generation prompt, tokens, variables, clock and limits; the defaults where null.</param>
    /// <exception cref="ChatTemplateRaisedException">The template refuses the conversation.</exception>
    /// <exception cref="ChatTemplateException">The template fails or passes a limit.</exception>
    public ChatRendering RenderWithRoles(ChatConversation conversation, ChatRenderOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(conversation);
        options ??= new();
        MarkedBuilder output = Run(Prepare(conversation, conversation.Messages.Count, options, true));
        return new RoleTracer(this, conversation, options, output).Trace();
    }

    /// <summary>The variables for rendering the first messages of a conversation.</summary>
    internal static RenderContext Prepare(ChatConversation conversation, int messages, ChatRenderOptions options, bool tracing)
    {
        RenderContext context = new(options.Limits ?? ChatTemplateLimits.Default, options.Clock ?? TimeProvider.System, tracing, JinjaSettings.Chat);
        context.Output.RecordPieces();
        Scope scope = context.Scope;
        Globals.AddTo(scope);
        Value[] list = new Value[messages];
        for (int i = 0; i < messages; i++)
            list[i] = tracing ? conversation.Messages[i].Tagged(i) : conversation.Messages[i].Fields;
        scope.Set("messages", new ListValue(list));
        scope.Set("tools", conversation.Tools);
        scope.Set("documents", conversation.Documents);
        scope.Set("add_generation_prompt", Value.Of(options.AddGenerationPrompt));
        if (options.BosToken is not null)
            scope.Set("bos_token", Value.Of(options.BosToken));
        if (options.EosToken is not null)
            scope.Set("eos_token", Value.Of(options.EosToken));
        foreach ((string name, JsonNode? value) in options.Variables ?? new Dictionary<string, JsonNode?>())
            scope.Set(name, JsonValues.From(value));
        context.Scope = new Scope(scope);
        return context;
    }

    internal MarkedBuilder Run(RenderContext context)
    {
        _body.Execute(context);
        return context.Output;
    }
}
