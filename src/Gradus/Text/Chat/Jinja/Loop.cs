namespace Gradus.Text.Chat.Jinja;

/// <summary>
/// for targets in iterable [if condition] [recursive]. With tracing on, an iteration over a message, or one whose output
/// comes from one message only, is marked as that message's turn; loops inside such an iteration are not looked at.
/// </summary>
internal sealed class ForStatement(Position position, Target target, Expression iterable, Expression? condition, bool recursive, Block body, Block? otherwise)
    : Statement(position)
{
    public bool IsRecursive => recursive;

    protected override Flow Run(RenderContext context)
    {
        Value source = iterable.Evaluate(context);
        context.Position = Position;
        RunOver(context, source, 0, context.Scope);
        return Flow.Next;
    }

    /// <summary>Runs the loop over a value inside a scope; recursive loops come back here.</summary>
    public void RunOver(RenderContext context, Value source, int depth, Scope outer)
    {
        IEnumerable<Value> elements = context.Iterate(source);
        LoopValue loop = condition is null
            ? new LoopValue(context, this, elements, source.Count, depth, outer)
            : new LoopValue(context, this, Filtered(context, elements, outer), null, depth, outer);
        bool completed = false;
        while (loop.MoveNext())
        {
            context.Step();
            context.Scope = new Scope(outer);
            target.Assign(context, loop.Current);
            context.Scope.Set("loop", loop);
            Flow flow = context.Tracing ? RunTraced(context, loop.Current) : body.Execute(context);
            if (flow == Flow.Break)
                break;
            // As in the reference, an iteration ended by continue does not keep the else from running.
            completed |= flow == Flow.Next;
        }
        context.Scope = outer;
        if (!completed)
            otherwise?.ExecuteScoped(context);
    }

    private Flow RunTraced(RenderContext context, Value element)
    {
        if (context.InTurn)
            return body.Execute(context);
        int message = element.Message;
        for (int i = 0; message < 0 && element is TupleValue tuple && i < tuple.Elements.Length; i++)
            message = tuple.Elements[i].Message;
        MarkedBuilder output = context.Output;
        (int start, int marks) = (output.Length, output.Marks.Count);
        context.InTurn = message >= 0;
        Flow flow = body.Execute(context);
        context.InTurn = false;
        if (message < 0)
            message = OnlyMessage(context, output.Marks, marks);
        if (message >= 0)
            output.Mark(MarkKind.Turn, message, start);
        return flow;
    }

    private static int OnlyMessage(RenderContext context, List<Mark> marks, int from)
    {
        int message = -1;
        context.Charge(marks.Count - from);
        for (int i = from; i < marks.Count; i++)
        {
            if (marks[i].Kind == MarkKind.Generation || marks[i].Message == message)
                continue;
            if (message >= 0)
                return -1;
            message = marks[i].Message;
        }
        return message;
    }

    private IEnumerable<Value> Filtered(RenderContext context, IEnumerable<Value> elements, Scope outer)
    {
        foreach (Value element in elements)
        {
            context.Step();
            Scope current = context.Scope;
            context.Scope = new Scope(outer);
            target.Assign(context, element);
            bool keep = condition!.Evaluate(context).IsTrue;
            context.Scope = current;
            if (keep)
                yield return element;
        }
    }
}

/// <summary>The special variable loop. Elements are read one at a time, one ahead where last or nextitem ask for it.</summary>
internal sealed class LoopValue(RenderContext owner, ForStatement statement, IEnumerable<Value> elements, int? length, int depth, Scope outer) : Value
{
    private IEnumerator<Value> _source = elements.GetEnumerator();
    private Value? _ahead;
    private Value? _previous;
    private Value? _current;
    private Value? _changed;
    private int _index = -1;
    private int? _length = length;

    public override string TypeName => "LoopContext";

    public Value Current => _current!;

    public override int? Count => Length();

    public bool MoveNext()
    {
        Value? next = _ahead ?? Read();
        if (next is null)
            return false;
        (_ahead, _previous, _current) = (null, _current, next);
        _index++;
        return true;
    }

    public override Value? Attribute(RenderContext context, string name) => name switch
    {
        "index0" => new IntValue(_index),
        "index" => new IntValue(_index + 1),
        "first" => Of(_index == 0),
        "last" => Of(Peek() is null),
        "length" => new IntValue(Length()),
        "revindex" => new IntValue(Length() - _index),
        "revindex0" => new IntValue(Length() - _index - 1),
        "depth" => new IntValue(depth + 1),
        "depth0" => new IntValue(depth),
        "previtem" => _previous ?? new UndefinedValue("there is no previous item"),
        "nextitem" => Peek() ?? new UndefinedValue("there is no next item"),
        "cycle" => new FunctionValue(name, this, Cycle),
        "changed" => new FunctionValue(name, this, Changed),
        _ => null,
    };

    /// <summary>loop(children) in a recursive loop: the output of the same loop over other elements.</summary>
    public override Value Call(RenderContext context, Arguments arguments)
    {
        if (!statement.IsRecursive)
            throw context.Error("this loop is not marked 'recursive', so loop() cannot be called");
        Value children = arguments.Bind(context, "loop", 1, "iterable")[0]!;
        context.EnterCall();
        (MarkedBuilder output, Scope scope) = (context.Output, context.Scope);
        MarkedBuilder captured = context.NewBuilder();
        context.Output = captured;
        statement.RunOver(context, children, depth + 1, outer);
        (context.Output, context.Scope) = (output, scope);
        context.LeaveCall();
        return captured.ToValue();
    }

    private Value? Read() => _source.MoveNext() ? _source.Current : null;

    private Value? Peek() => _ahead ??= Read();

    private int Length()
    {
        if (_length is null)
        {
            List<Value> rest = [];
            while (Read() is Value value)
            {
                owner.Charge(1);
                rest.Add(value);
            }
            _length = rest.Count + _index + 1 + (_ahead is null ? 0 : 1);
            _source = rest.GetEnumerator();
        }
        return _length.Value;
    }

    private static Value Cycle(RenderContext context, Value self, Arguments arguments)
    {
        if (arguments.Positional.Length == 0)
            throw context.Error("loop.cycle needs the values to cycle through");
        return arguments.Positional[((LoopValue)self)._index % arguments.Positional.Length];
    }

    private static BoolValue Changed(RenderContext context, Value self, Arguments arguments)
    {
        LoopValue loop = (LoopValue)self;
        TupleValue values = new(arguments.Positional);
        bool same = loop._changed is not null && Operators.AreEqual(context, loop._changed, values);
        loop._changed = values;
        return Of(!same);
    }
}
